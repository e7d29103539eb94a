/** Answers the call `whoami`: the caller's entry in the node's configuration. */
import type { KnownPeer } from '../channel/peers.ts'
import type { WhoamiResult } from '../protocol/whoami.ts'

/** `peer` is undefined for a guest. At a replica no role acts for orgs. */
export function answerWhoami(
  peerId: string,
  peer: KnownPeer | undefined,
  { node, region }: Pick<WhoamiResult, 'node' | 'region'>,
): WhoamiResult {
  if (peer === undefined) return { peerId, name: null, role: 'guest', orgs: [], node, region }
  const { name, role } = peer
  return { peerId, name, role, orgs: node === 'primary' ? orgsOf(peer) : [], node, region }
}

function orgsOf({ role, orgs = [] }: KnownPeer): readonly string[] {
  return role === 'operator' ? ['*'] : orgs
}
