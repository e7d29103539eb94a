/**
 * Dials the nodes that a configuration names, on `admin`: a handshake shows address, pin and cluster, and the answer shows the
 * role of this identity. An operator is also told the node's clock.
 */
import { type Identity, loadIdentity } from '../../shared/channel/identity.ts'
import type { ProfileNode } from '../../shared/config/profile.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { systemHost } from '../../shared/service/host.ts'
import { adminOver, statusOf } from '../admin.ts'
import type { ClockSample, PeerAnswer } from './judge.ts'

export interface Caller {
  readonly cluster: string
  readonly identity: Identity
}

/** A node to dial. */
export interface DialTarget extends ProfileNode {
  readonly kind: PeerAnswer['kind']
  /** Undefined for the primary. */
  readonly region?: string
}

export interface Dialled extends PeerAnswer {
  /** Undefined if the node did not tell its clock. */
  readonly clock: ClockSample | undefined
}

/** Undefined if the identity cannot be read, which the checks of the file report. */
export async function callerOf(cluster: string, identity: string): Promise<Caller | undefined> {
  try {
    return { cluster, identity: await loadIdentity(identity) }
  } catch (error) {
    if (error instanceof MacaroondError) return undefined
    throw error
  }
}

/** Dials all nodes at once. */
export async function dialAll(caller: Caller, peers: readonly DialTarget[]): Promise<readonly Dialled[]> {
  return Promise.all(peers.map((peer) => dialOne(caller, peer)))
}

async function dialOne({ cluster, identity }: Caller, peer: DialTarget): Promise<Dialled> {
  const { kind, region, address } = peer
  const who = `${kind === 'primary' ? 'the primary' : `the replica of ${region ?? '?'}`} at ${address}`
  const { clock } = systemHost
  try {
    const askedMs = clock.wallMs()
    const { wallMs } = await statusOf(adminOver({ cluster, identity, host: systemHost }), peer)
    const answeredMs = clock.wallMs()
    return {
      who,
      kind,
      error: undefined,
      clock: wallMs === undefined ? undefined : { who, askedMs, answeredMs, wallMs },
    }
  } catch (error) {
    if (!(error instanceof MacaroondError)) throw error
    return { who, kind, error, clock: undefined }
  }
}
