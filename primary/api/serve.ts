/** Serves a connection of the `sign` or `admin` channel: a table from method names to the objects that implement them. */
import type { Allowance } from '../../shared/channel/allowance.ts'
import type { Connection } from '../../shared/channel/connection.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { serveRpc, type InTurn, type RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Timers } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import type { Log } from '../../shared/log.ts'
import { answerAuditList } from '../../shared/service/audit-list.ts'
import { answerAuditVerify } from '../../shared/service/audit-verify.ts'
import { answerWhoami } from '../../shared/service/whoami.ts'
import {
  type CallCost,
  type CallKind,
  PRIMARY_ADMIN_CALLS,
  type PrimaryAdminMethod,
  SIGN_CALLS,
  type SignMethod,
} from '../../shared/protocol/calls.ts'
import { params } from '../../shared/protocol/params.ts'
import { type ArchiveRepairAnswer, archiveRepairParams } from '../../shared/protocol/archive-repair.ts'
import type { ReloadResult } from '../../shared/protocol/reload.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import type { Archives } from '../archiver/archives.ts'
import type { JobName } from '../archiver/state.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Calls } from './open-calls.ts'
import { actorOf } from './permissions.ts'

export interface ServeCallsOptions extends Calls {
  readonly connection: Connection
  /** The caller's rights when the connection was made. If they change, the registry closes the connection. */
  readonly peer: KnownPeer
  readonly status: () => PrimaryStatus
  /** Reads the configuration again, for this caller. */
  readonly reload: (by: string) => Promise<ReloadResult>
  readonly clock: Timers
  /** Counts the calls of a peer over all of its connections. */
  readonly allowance: Allowance<CallKind>
  readonly inTurn: InTurn
  readonly db: Database
  /** Undefined if there is no archive. */
  readonly archives: Pick<Archives, 'due' | 'diskFull' | 'repairReports' | 'repair'> | undefined
  readonly writer: Pick<GroupWriter, 'state' | 'nudge'>
  readonly log: Log
}

/** Resolves when the connection has ended. */
export function serveCalls(options: ServeCallsOptions): Promise<void> {
  const { connection, clock, inTurn, log } = options
  const methods =
    connection.channel === 'sign'
      ? counted(signMethods(options), SIGN_CALLS, options)
      : counted(adminMethods(options), PRIMARY_ADMIN_CALLS, options)
  return serveRpc(connection, { methods, clock, log, inTurn }).done
}

/** The calls of the `sign` channel for one peer. */
export function signMethods({
  peer,
  signing,
  counting,
  tokens,
  revoking,
  revocations,
  keks,
  pending,
  globalWait,
  thirdParties,
}: Calls & Pick<ServeCallsOptions, 'peer'>): Record<SignMethod, RpcMethod> {
  return {
    'org.create': (value) => signing.createOrg(peer, value),
    'org.list': (value) => signing.listOrgs(peer, value),
    'org.rotate-key': (value) => signing.rotateKey(peer, value),
    'org.retire-key': (value) => revoking.retireKey(peer, value),
    'org.disable': (value) => revoking.disableOrg(peer, value),
    'token.mint': (value, caller) => signing.mint(peer, value, caller),
    'token.revoke': (value) => revoking.revokeToken(peer, value),
    'token.show': (value, caller) => tokens.show(peer, value, caller),
    'tokens.count': (value, caller) => counting.count(peer, value, caller),
    'tokens.list': (value, caller) => tokens.list(peer, value, caller),
    'tokens.made-from': (value, caller) => tokens.madeFrom(peer, value, caller),
    'issued.revoke': (value) => revoking.revokeIssued(peer, value),
    'token.discharge': (value, caller) => thirdParties.discharge(peer, value, caller),
    'token.exchange': (value, caller) => thirdParties.exchange(peer, value, caller),
    'third-party.add': (value) => thirdParties.add(peer, value),
    'third-party.list': () => thirdParties.list(),
    'third-party.remove': (value) => thirdParties.remove(peer, value),
    'revocations.coverage': (value) => globalWait.coverage(peer, value),
    'revocations.list': (value, caller) => revocations.list(peer, value, caller),
    'revocations.find': (value, caller) => revocations.find(peer, value, caller),
    'revocations.pending': (value) => pending.list(peer, value),
    'revocations.adopt': (value) => pending.adopt(peer, value),
    'revocations.forget': (value) => pending.forget(peer, value),
    'kek.rotate': (value) => keks.rotate(peer, value),
    whoami: () => answerWhoami(peer.id, peer, { node: 'primary', region: null }),
  }
}

function adminMethods({
  peer,
  status,
  reload,
  db,
  archives,
  writer,
}: ServeCallsOptions): Record<PrimaryAdminMethod, RpcMethod> {
  return {
    status,
    reload: () => reload(actorOf(peer).text),
    'audit.verify': (value) => answerAuditVerify(db, value),
    'audit.list': (value) => answerAuditList(db, value),
    'archive.snapshot': () => requestJobs(archives, ['snapshot']),
    'archive.compact': () => requestJobs(archives, ['compact 1', 'compact 2', 'compact 3', 'retain']),
    'archive.repair': (value) => repair(archivesOf(archives), value, writer),
  }
}

/** Counts each call against its peer before it does any work. */
function counted(
  methods: Readonly<Record<string, RpcMethod>>,
  costs: Readonly<Record<string, CallCost>>,
  { allowance, log }: Pick<ServeCallsOptions, 'allowance' | 'log'>,
): Record<string, RpcMethod> {
  const guard = ([name, method]: [string, RpcMethod]): [string, RpcMethod] => {
    return [name, allowance.guarded(costs[name]?.kind ?? 'reading', namingStorageErrors(method, log))]
  }
  return Object.fromEntries(Object.entries(methods).map(guard))
}

/** An error of SQLite becomes one with a code and a hint, for the caller and for the log of this node. */
export function namingStorageErrors(method: RpcMethod, log: Log): RpcMethod {
  return async (value, caller) => {
    try {
      return await method(value, caller)
    } catch (error) {
      const named = sqliteError(error, 'reading the database')
      if (named !== error) log.error({ error: reportOf(named) }, 'a call could not read the database')
      throw named
    }
  }
}

function requestJobs(archives: ServeCallsOptions['archives'], jobs: readonly JobName[]): { readonly asked: true } {
  const own = archivesOf(archives)
  if (own.diskFull) {
    throw new MacaroondError('disk_full', 'the disk of this primary is full', {
      hint: 'free space on the volume of `data`, then try again',
    })
  }
  for (const job of jobs) own.due(job)
  return { asked: true }
}

/** Without `confirm` it only lists the damage, for the operator to decide. With `confirm` it starts the repair. */
function repair(
  archives: NonNullable<ServeCallsOptions['archives']>,
  value: unknown,
  writer: ServeCallsOptions['writer'],
): ArchiveRepairAnswer {
  const { confirm } = params(archiveRepairParams, value)
  const { archiveChains } = writer.state
  const places = archives.repairReports(archiveChains)
  if (!confirm) return { places }
  archives.repair(archiveChains)
  writer.nudge()
  return { places }
}

function archivesOf(archives: ServeCallsOptions['archives']): NonNullable<ServeCallsOptions['archives']> {
  if (archives !== undefined) return archives
  throw new MacaroondError('request_invalid', 'this primary has no archive', {
    hint: 'its configuration says `enabled = false` under [archive]',
  })
}
