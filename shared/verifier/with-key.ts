/**
 * Verifies macaroons with a given root key, without an authority: for services that make their own macaroons, and for
 * checking those of other libraries. Verify and clear are those of the verifier; the caller chooses the language of caveats.
 * Revocation is not checked.
 */
import { derivedKeyOf } from '../macaroon/attenuate.ts'
import type { Macaroon, RootKey } from '../macaroon/macaroon.ts'
import { verifyChain } from '../macaroon/signature.ts'
import { decodeUtf8, encodeUtf8 } from '../macaroon/utf8.ts'
import { type Context, readForeignFacts } from './access.ts'
import type { CaveatJudge } from './caveat-judge.ts'
import { clearBundle, type ClearedBundle } from './clear.ts'
import { judgeByFacts } from './facts-judge.ts'
import { NO_TABLES } from './revocation-status.ts'
import type { CaveatTrace } from './trace.ts'
import { isRefused, type Refused, refused } from './verdict.ts'
import { verifyDischarges } from './verified-bundle.ts'
import { ONLINE_WORK, WorkBudget, type WorkLimits } from './work.ts'

export interface KeyedVerification {
  /** The macaroon first, then its bound discharges in any order. Discharges that no caveat needs are ignored. */
  readonly bundle: readonly Macaroon[]
  readonly rootKey: RootKey
  readonly judge: CaveatJudge
  /** Default: the limits of a node. */
  readonly limits?: WorkLimits
}

/** Verifies and clears a bundle. Never throws for bytes that a holder wrote. */
export function verifyWithKey(verification: KeyedVerification): ClearedBundle | Refused {
  return verified(verification)
}

export interface KeyedExplanation {
  /** The result of `verifyWithKey`. */
  readonly result: ClearedBundle | Refused
  /** Every caveat, judged on its own, in order. Empty if the signature does not match. */
  readonly caveats: readonly CaveatTrace[]
}

/** Like `verifyWithKey`, and also returns how every caveat was judged. */
export function explainWithKey(verification: KeyedVerification): KeyedExplanation {
  const caveats: CaveatTrace[] = []
  verified(verification, caveats)
  return { result: verified(verification), caveats }
}

function verified(
  { bundle, rootKey, judge, limits = ONLINE_WORK }: KeyedVerification,
  trace?: CaveatTrace[],
): ClearedBundle | Refused {
  const [root, ...discharges] = bundle
  if (root === undefined) return refused('token_missing', 'there is no macaroon')
  const chain = verifyChain(root, derivedKeyOf(rootKey))
  if (chain === undefined) return refused('signature_wrong', 'the signature does not match: wrong key, or changed')
  const work = new WorkBudget(limits)
  const node = verifyDischarges(chain, discharges, work)
  return isRefused(node) ? node : clearBundle(node, { judge, work, ...(trace && { trace }) })
}

/** Clears exactly the given predicates, compared byte by byte, like libmacaroons' `satisfy_exact`. */
export function judgeExact(predicates: readonly string[]): CaveatJudge {
  const known = new Set(predicates.map((text) => bytesAsText(encodeUtf8(text) ?? Buffer.from(text))))
  return {
    judge: (caveat) => (known.has(bytesAsText(caveat)) ? { ok: true } : notGiven(describe(caveat).caveat)),
    describe,
  }
}

/** An access to a service outside an authority. It needs no org. */
export interface ForeignAccess {
  readonly [key: string]: string | readonly string[]
}

/**
 * Judges the caveat language of FORMAT.md by an access. Refuses a malformed access with `access_malformed`. An `unrevoked`
 * caveat always refuses, because there are no tables of revocations.
 */
export function judgeAccess(access: ForeignAccess, context: Context): CaveatJudge | Refused {
  const facts = readForeignFacts(access, context)
  return isRefused(facts) ? facts : judgeByFacts(facts, NO_TABLES)
}

function notGiven(caveat: string): Refused {
  return refused('caveat_refused', 'a caveat refused: it is not among the satisfied ones', {
    caveat,
    wanted: caveat,
  })
}

function describe(caveat: Uint8Array): { readonly caveat: string } {
  return { caveat: decodeUtf8(caveat) ?? `0x${bytesAsHex(caveat)}` }
}

/** One character per byte: faster than UTF-8, and different bytes always give different texts. */
function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function bytesAsHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
