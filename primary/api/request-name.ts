/** Makes the name by which the authority recognises a repeated request. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { sha256 } from '../../shared/crypto.ts'
import type { RequestName } from '../authority/commands.ts'

/** The name includes the PeerId: callers share no ids, so a conflict reveals nothing about another caller's requests. */
export function requestName(
  peer: KnownPeer,
  requestId: string | undefined,
  asked: readonly (string | number | null)[],
): RequestName | undefined {
  if (requestId === undefined) return undefined
  return { id: `${peer.id} ${requestId}`, digest: sha256(Buffer.from(JSON.stringify(asked))).toString('hex') }
}
