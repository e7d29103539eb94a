/**
 * Decides for which orgs a caller may act. The role of a peer only decides which channels it may open, so each call checks the
 * org here.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Kid } from '../../shared/ids.ts'
import type { OrgKey } from '../authority/state.ts'

/** In a signer's `orgs`: every org. */
const ANY_ORG = '*'

/** True if the caller may act for the org. Operators may act for every org. */
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

/**
 * Throws key_unknown. The message is the same for a key of another org and for a missing key, so that a signer learns nothing
 * about other orgs.
 */
export function requireKeyOf(peer: KnownPeer, kid: Kid, keys: ReadonlyMap<Kid, OrgKey>): OrgKey {
  const key = keys.get(kid)
  if (key !== undefined && mayActFor(peer, key.org)) return key
  throw new MacaroondError('key_unknown', `no org that ${peer.name} acts for has a key ${kid}`, {
    hint: 'a token id is <kid>.<nonce>; check that it comes from this cluster and from one of your orgs',
  })
}

/** Only operators may make calls that concern the whole authority. Throws permission_denied. */
export function requireOperator(peer: KnownPeer, what: string): void {
  if (peer.role === 'operator') return
  throw new MacaroondError('permission_denied', `${peer.name} may not ${what}`, { hint: 'only operators may' })
}

/** The caller as the audit records it: the configured name and the proven PeerId. */
export function actorOf(peer: KnownPeer): { readonly text: string } {
  return { text: `${peer.name} ${peer.id}` }
}
