import { MacaroondError } from '../../shared/errors.ts'
import { tokenId } from '../../shared/ids.ts'
import type { Command } from './commands.ts'
import type { AuthorityState } from './state.ts'
import type { Decision, Moment } from './step.ts'

type Revoke = Extract<Command, { kind: 'token.revoke' }>

/** Appends to the revocation log. The org is the key's: a row acts inside its org only. */
export function revokeToken(state: AuthorityState, command: Revoke, moment: Moment): Decision {
  const { kid, nonce, expiresAt, reason, actor, recorded } = command
  const key = state.keys.get(kid)
  if (key === undefined) {
    throw new MacaroondError('key_unknown', `no org of this authority has a key ${kid}`, {
      hint: 'a token id is <kid>.<nonce>; check that it comes from this cluster',
    })
  }
  const seq = state.revocationSeq + 1
  state.revocationSeq = seq
  state.revocations.add(kid, nonce)
  const id = tokenId(kid, nonce)
  const common = { org: key.org, atMs: moment.wallMs, actor: actor.text }
  return {
    rows: [{ table: 'revocations', row: { ...common, seq, kind: 'token', kid, nonce, expiresAt, reason } }],
    answer: { id, org: key.org, seq, matched: recorded ? 'recorded' : 'unrecorded' },
    audit: { ...common, action: 'token.revoke', target: id, detail: { seq, reason, recorded } },
  }
}
