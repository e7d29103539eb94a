/** Rotation of the key-encryption key: whatever an earlier one sealed is sealed again, all in one transaction. */
import { type Kek, seal, type SealContext, unseal } from '../../shared/sealing.ts'
import type { Command } from './commands.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, Moment } from './step.ts'

/** A sealed secret, and where it lies. */
export interface SealedSecret {
  readonly place:
    | { readonly table: 'root_keys'; readonly kid: Extract<Row, { table: 'root_keys' }>['row']['kid'] }
    | { readonly table: 'signing_keys'; readonly id: number }
    | { readonly table: 'third_parties'; readonly name: string }
  readonly context: SealContext
  readonly sealed: Uint8Array
}

/** Throws kek_wrong, and then nothing is changed: what none of the ring opens must not be lost sight of. */
export function rotateKek(
  state: AuthorityState,
  { actor, ring, sealed }: Extract<Command, { kind: 'kek.rotate' }>,
  moment: Moment,
): Decision {
  const { kek, wallMs } = moment
  const rows = sealed.map((secret) => resealed(secret, ring, moment))
  // Readers keep what they have opened: they look again where the bytes have changed.
  if (rows.length > 0) state.keyGeneration += 1
  const answer = { kek: kek.id, resealed: rows.length }
  const entry = { atMs: wallMs, actor: actor.text, action: 'kek.rotate', org: '', target: kek.id }
  return { rows, answer, audit: { ...entry, detail: { resealed: rows.length } } }
}

function resealed({ place, context, sealed }: SealedSecret, ring: readonly Kek[], { kek, entropy }: Moment): Row {
  const again = seal(kek, context, unseal(ring, context, sealed), entropy)
  switch (place.table) {
    case 'root_keys':
      return { table: 'root_keys resealed', row: { kid: place.kid, sealedSecret: again } }
    case 'signing_keys':
      return { table: 'signing_keys resealed', row: { id: place.id, sealedPrivateKey: again } }
    case 'third_parties':
      return { table: 'third_parties resealed', row: { name: place.name, sealedPrivateKey: again } }
  }
}
