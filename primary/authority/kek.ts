/**
 * Seals secrets with the key-encryption key (KEK) in force: the one that seals the signing key, whichever KEKs this process
 * has. Only a rotation changes it, after a check that every replica has the new KEK. A rotation reads the secrets inside its
 * own transaction, so it never overwrites a newer secret with an older one.
 */
import { signingKeyContext } from '../../shared/database/signing-key.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { seal, type SealContext, kekIdOf, unseal } from '../../shared/sealing.ts'
import type { CommandOf } from './commands.ts'
import type { Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** Associated data of the sealed private key: it opens in this row of this cluster only. */
export function thirdPartyContext(cluster: string, name: string): SealContext {
  return { cluster, org: '', kid: `third party ${name}` }
}

/** Seals with the KEK in force. Throws kek_wrong if the configuration lacks it. */
export function sealSecret(
  { signingKeys }: Pick<AuthorityState, 'signingKeys'>,
  context: SealContext,
  secret: Uint8Array,
  { ring, entropy }: Pick<DecisionContext, 'ring' | 'entropy'>,
): Buffer {
  const id = kekIdOf(signingKeys.at(-1)?.sealed ?? new Uint8Array())
  const kek = ring.find((candidate) => candidate.id === id)
  if (kek !== undefined) return seal(kek, context, secret, entropy)
  throw new MacaroondError(
    'kek_wrong',
    `secrets are sealed with key-encryption key ${id}, which this primary does not have`,
    {
      hint: 'add it to the configuration of this primary under [[kek.previous]]',
    },
  )
}

/**
 * Throws kek_wrong and changes nothing if any secret does not open, because a rotation that skipped it would seem complete.
 * Throws kek_missing if a replica lacks the new key: after its next start it could not open the resealed secrets.
 */
export function rotateKek(
  state: AuthorityState,
  { actor, replicasWithout }: CommandOf<'kek.rotate'>,
  { ring, nowMs, entropy }: DecisionContext,
): Decision {
  const [kek] = ring
  if (kek === undefined) throw new MacaroondError('kek_wrong', 'this primary has no key-encryption key')
  const without = replicasWithout(kek.id)
  if (without.length > 0) throw kekMissing(kek.id, without)
  const stale = secretsOf(state).filter(({ sealed }) => kekIdOf(sealed) !== kek.id)
  const resealed = stale.map((secret) => {
    return { ...secret, sealed: seal(kek, secret.context, unseal(ring, secret.context, secret.sealed), entropy) }
  })
  for (const { keep, sealed } of resealed) keep(sealed)
  // Readers cache opened keys and read them again when the generation changes.
  if (resealed.length > 0) state.keyGeneration += 1
  const answer = { kek: kek.id, resealed: resealed.length }
  const entry = { atMs: nowMs, actor: actor.text, action: 'kek.rotate', org: '', target: kek.id }
  const rows = resealed.map(({ row, sealed }) => row(sealed))
  return { rows, answer, audit: { ...entry, detail: { resealed: resealed.length } } }
}

function kekMissing(id: string, names: readonly string[]): MacaroondError {
  return new MacaroondError(
    'kek_missing',
    `these replicas have not reported key-encryption key ${id}: ${names.join(', ')}`,
    {
      hint: 'first configure it on every replica, with the earlier one under [[kek.previous]], and restart the replica. --force rotates anyway: a replica without the key continues with the root keys that it has opened, but cannot restart until it has the key',
    },
  )
}

/** A sealed secret: `row` writes its new seal to the database, `keep` to the state. */
interface Secret {
  readonly context: SealContext
  readonly sealed: Uint8Array
  readonly row: (sealed: Uint8Array) => Row
  readonly keep: (sealed: Uint8Array) => void
}

function secretsOf(state: AuthorityState): readonly Secret[] {
  return [...rootKeys(state), ...signingKeys(state), ...thirdParties(state)]
}

function rootKeys({ keys, cluster }: AuthorityState): readonly Secret[] {
  return [...keys.values()].map((key) => {
    const { kid, org } = key
    return {
      context: { cluster, org, kid },
      sealed: key.sealed,
      row: (sealedSecret) => ({ table: 'root_keys resealed', row: { kid, sealedSecret } }),
      keep: (sealed) => void keys.set(kid, { ...key, sealed }),
    }
  })
}

function signingKeys(state: AuthorityState): readonly Secret[] {
  return state.signingKeys.map(({ id, sealed: before }) => ({
    context: signingKeyContext(state.cluster),
    sealed: before,
    row: (sealedPrivateKey) => ({ table: 'signing_keys resealed', row: { id, sealedPrivateKey } }),
    keep: (sealed) => void (state.signingKeys = state.signingKeys.map((key) => (key.id === id ? { id, sealed } : key))),
  }))
}

function thirdParties({ thirdParties: all, cluster }: AuthorityState): readonly Secret[] {
  return [...all.values()].map((thirdParty) => {
    const { name } = thirdParty
    return {
      context: thirdPartyContext(cluster, name),
      sealed: thirdParty.sealed,
      row: (sealedPrivateKey) => ({ table: 'third_parties resealed', row: { name, sealedPrivateKey } }),
      keep: (sealed) => void all.set(name, { ...thirdParty, sealed }),
    }
  })
}
