import type { KnownPeer } from '../../shared/channel/peers.ts'
import { sha256 } from '../../shared/crypto.ts'
import type { RequestName } from '../authority/commands.ts'

/** Ids are the caller's own: nobody learns from a conflict what somebody else has asked. */
export function requestName(
  peer: KnownPeer,
  requestId: string | undefined,
  asked: readonly (string | number | null)[],
): RequestName | undefined {
  if (requestId === undefined) return undefined
  return { id: `${peer.id} ${requestId}`, digest: sha256(Buffer.from(JSON.stringify(asked))).toString('hex') }
}
