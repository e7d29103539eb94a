/** The methods of the `sign` and `admin` channels, as one table a connection. */
import type { Connection } from '../../shared/channel/connection.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { serveRpc, type RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { answerAuditVerify } from '../../shared/service/audit-verify.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'
import type { Connection as Database } from '../../shared/sqlite/connection.ts'
import type { Archives } from '../archiver/archives.ts'
import type { JobName } from '../archiver/state.ts'
import type { Calls } from './open-calls.ts'

export interface ServeOptions extends Calls {
  readonly connection: Connection
  /** Rights as configured when the connection was made: when they change, the registry ends the connection. */
  readonly peer: KnownPeer
  readonly status: () => PrimaryStatus
  readonly clock: Timers
  readonly db: Database
  /** Undefined where nothing is archived. */
  readonly archives: Pick<Archives, 'due' | 'paused'> | undefined
  readonly log: Log
}

/** Resolves when the connection has ended. */
export function serveCalls({
  connection,
  peer,
  api,
  revoking,
  revocations,
  keks,
  pending,
  globalWait,
  thirdParties,
  status,
  clock,
  db,
  archives,
  log,
}: ServeOptions): Promise<void> {
  const sign: Record<string, RpcMethod> = {
    'org.create': (value) => api.createOrg(peer, value),
    'org.list': () => api.listOrgs(peer),
    'org.rotate-key': (value) => api.rotateKey(peer, value),
    'org.retire-key': (value) => revoking.retireKey(peer, value),
    'org.disable': (value) => revoking.disableOrg(peer, value),
    'token.mint': (value) => api.mint(peer, value),
    'token.revoke': (value) => revoking.revokeToken(peer, value),
    'issued.revoke': (value) => revoking.revokeIssued(peer, value),
    'token.discharge': (value) => thirdParties.discharge(peer, value),
    'token.exchange': (value) => thirdParties.exchange(peer, value),
    'third-party.add': (value) => thirdParties.add(peer, value),
    'third-party.list': () => thirdParties.list(),
    'third-party.remove': (value) => thirdParties.remove(peer, value),
    'revocations.coverage': (value) => globalWait.coverage(peer, value),
    'revocations.list': (value) => revocations.list(peer, value),
    'revocations.find': (value) => revocations.find(peer, value),
    'revocations.pending': (value) => pending.list(peer, value),
    'revocations.adopt': (value) => pending.adopt(peer, value),
    'revocations.forget': (value) => pending.forget(peer, value),
    'kek.rotate': (value) => keks.rotate(peer, value),
  }
  const admin: Record<string, RpcMethod> = {
    status,
    'audit.verify': (value) => answerAuditVerify(db, value),
    'archive.snapshot': () => due(archives, ['snapshot']),
    'archive.compact': () => due(archives, ['compact 1', 'compact 2', 'compact 3', 'retain']),
  }
  return serveRpc(connection, { methods: connection.channel === 'sign' ? sign : admin, clock, log }).done
}

function due(archives: ServeOptions['archives'], jobs: readonly JobName[]): { readonly asked: true } {
  if (archives === undefined) {
    throw new MacaroondError('request_invalid', 'this primary has no archive', {
      hint: 'its configuration says `enabled = false` under [archive]',
    })
  }
  if (archives.paused) {
    throw new MacaroondError('disk_full', 'the disk of this primary is full', {
      hint: 'free space on the volume of `data`, then ask again',
    })
  }
  for (const job of jobs) archives.due(job)
  return { asked: true }
}
