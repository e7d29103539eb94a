/** Who may act for which org. Roles open channels; this is what a signer may do once it is in. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { MacaroondError } from '../../shared/errors.ts'

const ANY_ORG = '*'

export function mayActFor(peer: KnownPeer, org: string): boolean {
  if (peer.role === 'operator') return true
  return peer.role === 'signer' && (peer.orgs ?? []).some((allowed) => allowed === ANY_ORG || allowed === org)
}

/** Throws permission_denied. */
export function requireOrg(peer: KnownPeer, org: string): void {
  if (mayActFor(peer, org)) return
  throw new MacaroondError('permission_denied', `${peer.name} may not act for org ${org}`, {
    hint: 'a signer acts for the `orgs` of its entry in the primary’s configuration',
  })
}

/** As the audit records it: the configured name, and the identity that was proven. */
export function actorOf(peer: KnownPeer): { readonly text: string } {
  return { text: `${peer.name} ${peer.id}` }
}
