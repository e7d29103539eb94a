/**
 * Registers the services whose third-party caveats this authority discharges. Each service has a key pair of its own and seals
 * its tickets to it, so the key that opens a ticket names the service.
 */
import { randomSecret, x25519PublicKey } from '../../shared/crypto.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { THIRD_PARTIES_MAX } from '../../shared/limits.ts'
import type { CommandOf } from './commands.ts'
import { sealSecret, thirdPartyContext } from './kek.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** The location of the service's caveats. It only tells holders where to ask: no signature covers it. */
export function thirdPartyLocation(cluster: string, name: string): string {
  return `macaroond://${cluster}/${name}`
}

/** Throws third_party_exists, request_invalid, kek_wrong. */
export function addThirdParty(
  state: AuthorityState,
  command: CommandOf<'third-party.add'>,
  context: DecisionContext,
): Decision {
  const { name, unrevoked, actor } = command
  const { nowMs, entropy } = context
  if (state.thirdParties.has(name)) throw exists(name)
  if (state.thirdParties.size >= THIRD_PARTIES_MAX) {
    throw new MacaroondError('request_invalid', `there are ${THIRD_PARTIES_MAX} third parties, which is the limit`, {
      hint: 'remove those that are gone with `macaroond third-party remove`',
    })
  }
  const privateKey = randomSecret(entropy)
  const publicKey = x25519PublicKey(privateKey)
  const sealed = sealSecret(state, thirdPartyContext(state.cluster, name), privateKey, context)
  const common = { name, publicKey, unrevoked, createdMs: nowMs }
  state.thirdParties.set(name, { ...common, privateKey, sealed })
  return {
    rows: [{ table: 'third_parties', row: { ...common, sealedPrivateKey: sealed } }],
    answer: {
      name,
      location: thirdPartyLocation(state.cluster, name),
      publicKey: publicKey.toString('hex'),
      unrevoked,
    },
    audit: {
      atMs: nowMs,
      actor: actor.text,
      org: '',
      target: name,
      action: 'third-party.add',
      detail: { publicKey: publicKey.toString('hex'), unrevoked },
    },
  }
}

/** Its tickets no longer open, so nobody gets a discharge for a caveat that holds one. Throws third_party_missing. */
export function removeThirdParty(
  state: AuthorityState,
  { name, actor }: CommandOf<'third-party.remove'>,
  { nowMs }: DecisionContext,
): Decision {
  if (!state.thirdParties.delete(name)) {
    throw new MacaroondError('third_party_missing', `there is no third party ${name}`, {
      hint: '`macaroond third-party list` shows all',
    })
  }
  return {
    rows: [{ table: 'third_parties removed', row: { name } }],
    answer: { name },
    audit: { atMs: nowMs, actor: actor.text, action: 'third-party.remove', org: '', target: name, detail: {} },
  }
}

function exists(name: string): MacaroondError {
  return new MacaroondError('third_party_exists', `there is a third party ${name} already`, {
    hint: '`macaroond third-party list` shows its public key; remove it first to give it another one',
  })
}
