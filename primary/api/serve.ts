/** The methods of the `sign` and `admin` channels, as one table a connection. */
import type { Connection } from '../../shared/channel/connection.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { serveRpc, type RpcMethod } from '../../shared/channel/rpc-server.ts'
import type { Timers } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'
import type { GlobalWait } from './global-wait.ts'
import type { SigningApi } from './signing-api.ts'
import type { ThirdPartyApi } from './third-party-api.ts'

export interface ServeOptions {
  readonly connection: Connection
  /** Rights as configured when the connection was made: when they change, the registry ends the connection. */
  readonly peer: KnownPeer
  readonly api: SigningApi
  readonly thirdParties: ThirdPartyApi
  readonly globalWait: GlobalWait
  readonly status: () => PrimaryStatus
  readonly clock: Timers
  readonly log: Log
}

/** Resolves when the connection has ended. */
export function serveCalls({
  connection,
  peer,
  api,
  globalWait,
  thirdParties,
  status,
  clock,
  log,
}: ServeOptions): Promise<void> {
  const sign: Record<string, RpcMethod> = {
    'org.create': (value) => api.createOrg(peer, value),
    'org.list': () => api.listOrgs(peer),
    'token.mint': (value) => api.mint(peer, value),
    'token.revoke': (value) => api.revoke(peer, value),
    'token.discharge': (value) => thirdParties.discharge(peer, value),
    'token.exchange': (value) => thirdParties.exchange(peer, value),
    'third-party.add': (value) => thirdParties.add(peer, value),
    'third-party.list': () => thirdParties.list(),
    'third-party.remove': (value) => thirdParties.remove(peer, value),
    'revocations.coverage': (value) => globalWait.coverage(value),
    'revocations.list': (value) => api.listRevocations(peer, value),
  }
  const admin: Record<string, RpcMethod> = { status }
  return serveRpc(connection, { methods: connection.channel === 'sign' ? sign : admin, clock, log }).done
}
