/** A small authority for tests: two orgs, tokens minted as the primary mints them, tables that can be changed. */
import type { Kid, Nonce } from '../../../shared/ids.ts'
import { kid } from '../../../shared/ids.ts'
import { encodeIdentifier, type TokenIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { nextNonce, type NonceState, resumeNonces } from '../../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import type { Access, Context } from '../../../shared/verifier/access.ts'
import { type KeyEntry, KeyTable } from '../../../shared/verifier/key-table.ts'
import { CutOffs } from '../../../shared/verifier/cut-offs.ts'
import { RevocationTable } from '../../../shared/verifier/revocation-table.ts'
import type { Verdict } from '../../../shared/verifier/verdict.ts'
import type { Explanation } from '../../../shared/verifier/trace.ts'
import { explain, judge, type TokenTables } from '../../../shared/verifier/verifier.ts'

export const NOW_MS = 1_800_000_000_000
export const ACME: Kid = kid('00000000000000a1')
export const OTHER: Kid = kid('00000000000000b2')

const DERIVED_KEYS = new Map<Kid, Uint8Array>([
  [ACME, new Uint8Array(32).fill(0xa1)],
  [OTHER, new Uint8Array(32).fill(0xb2)],
])

/** By the asked time: test files share this module, and one that asks for later times must not move those of another. */
const nonces = new Map<number, NonceState>()

export function freshNonce(issuedAtMs: number = NOW_MS - 1000): Nonce {
  const step = nextNonce(nonces.get(issuedAtMs) ?? resumeNonces(issuedAtMs - 1), issuedAtMs, new Uint8Array(8).fill(7))
  nonces.set(issuedAtMs, step.state)
  return step.nonce
}

export function mint(caveats: readonly (string | Uint8Array)[], changes: Partial<TokenIdentifier> = {}): Macaroon {
  const named = { kid: ACME, nonce: freshNonce(), expiresAt: 0, ancestors: [], subject: 'alice', ...changes }
  const derivedKey = DERIVED_KEYS.get(named.kid) ?? new Uint8Array(32)
  const root = createMacaroon({ derivedKey, location: 'https://auth.example', identifier: encodeIdentifier(named) })
  return attenuate(root, caveats)
}

export function entry(key: Kid, changes: Partial<KeyEntry> = {}): KeyEntry {
  const org = key === ACME ? 'acme' : 'other'
  const derivedKey = DERIVED_KEYS.get(key) ?? new Uint8Array(32)
  return { org, derivedKey, state: 'active', orgState: 'active', ...changes }
}

export class Node implements TokenTables {
  readonly keys: KeyTable = new KeyTable([
    [ACME, entry(ACME)],
    [OTHER, entry(OTHER)],
  ])
  readonly revocations: RevocationTable = new RevocationTable({ seed: new Uint8Array(8).fill(3) })
  readonly cutOffs: CutOffs = new CutOffs()

  readonly key = (name: Kid): KeyEntry | undefined => this.keys.get(name)
  readonly revoked = (name: Kid, nonce: Nonce): boolean => this.revocations.has(name, nonce)

  judge(token: Macaroon | string, access: unknown = { org: 'acme' }, context: Partial<Context> = {}): Verdict {
    return this.judgeAnything(typeof token === 'string' ? token : encodeTokenText(token), access, context)
  }

  explain(token: string, access: unknown = { org: 'acme' }, context: Partial<Context> = {}): Explanation {
    const now = { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS, region: 'fra' }
    return explain({ token, access: access as Access }, this, { ...now, ...context })
  }

  /** For what no caller's types would let through. */
  judgeAnything(token: unknown, access: unknown, context: Partial<Context> = {}): Verdict {
    const now = { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS, region: 'fra' }
    return judge({ token: token as string, access: access as Access }, this, { ...now, ...context })
  }
}

/** The reason of a refusal, or 'ok'. */
export function outcome(verdict: Verdict): string {
  return verdict.ok ? 'ok' : verdict.reason
}

/** Judges one caveat alone. */
export function outcomeOf(caveat: string | Uint8Array, access: object = {}, context: Partial<Context> = {}): string {
  return outcome(new Node().judge(mint([caveat]), { org: 'acme', ...access }, context))
}
