/**
 * Verification with a root key at hand, without an authority: for services that make macaroons of their own, and for
 * checking those of others. The same verify and clear as for tokens; what a caveat means is the caller's to say.
 */
import { derivedKeyOf } from '../macaroon/attenuate.ts'
import type { Macaroon, RootKey } from '../macaroon/macaroon.ts'
import { verifyChain } from '../macaroon/signature.ts'
import { decodeUtf8, encodeUtf8 } from '../macaroon/utf8.ts'
import { type Context, readForeignFacts } from './access.ts'
import type { CaveatJudge } from './caveat-judge.ts'
import { clearBundle, type Cleared } from './clear.ts'
import { judgeByFacts } from './facts-judge.ts'
import { NO_TABLES } from './revocation-status.ts'
import type { CaveatTrace } from './trace.ts'
import { isRefused, type Refused, refused } from './verdict.ts'
import { verifyDischarges } from './verified-bundle.ts'
import { ONLINE_WORK, WorkBudget, type WorkLimits } from './work.ts'

export interface KeyedVerification {
  /** The macaroon first, then its bound discharges; in any number and order, those that nothing needs are ignored. */
  readonly bundle: readonly Macaroon[]
  readonly rootKey: RootKey
  readonly judge: CaveatJudge
  /** Default: what a node allows for a token. */
  readonly limits?: WorkLimits
}

/** Never throws for what a holder wrote. */
export function verifyWithKey(verification: KeyedVerification): Cleared | Refused {
  return verified(verification)
}

export interface KeyedExplanation {
  /** What `verifyWithKey` says. */
  readonly result: Cleared | Refused
  /** Every caveat, judged on its own, in their order; empty where the chain is not that of this key. */
  readonly caveats: readonly CaveatTrace[]
}

/** As `verifyWithKey`, and how it came to that. */
export function explainWithKey(verification: KeyedVerification): KeyedExplanation {
  const caveats: CaveatTrace[] = []
  verified(verification, caveats)
  return { result: verified(verification), caveats }
}

function verified(
  { bundle, rootKey, judge, limits = ONLINE_WORK }: KeyedVerification,
  trace?: CaveatTrace[],
): Cleared | Refused {
  const [root, ...discharges] = bundle
  if (root === undefined) return refused('token_missing', 'there is no macaroon')
  const chain = verifyChain(root, derivedKeyOf(rootKey))
  if (chain === undefined) return refused('signature_wrong', 'the signature does not match: another key, or changed')
  const work = new WorkBudget(limits)
  const node = verifyDischarges(chain, discharges, work)
  return isRefused(node) ? node : clearBundle(node, { judge, work, ...(trace && { trace }) })
}

/** Clears exactly the predicates given, byte by byte, as libmacaroons' `satisfy_exact` does. */
export function judgeExact(predicates: readonly string[]): CaveatJudge {
  const known = new Set(predicates.map((text) => bytesAsText(encodeUtf8(text) ?? Buffer.from(text))))
  return {
    judge: (caveat) => (known.has(bytesAsText(caveat)) ? { ok: true } : notGiven(describe(caveat).caveat)),
    describe,
  }
}

/** An access to a service that is no authority of ours: no org is needed, and none implied. */
export interface ForeignAccess {
  readonly [key: string]: string | readonly string[]
}

/** The caveat language of FORMAT.md, judged against an access. `unrevoked` refuses: there are no tables to look in. */
export function judgeAccess(access: ForeignAccess, context: Context): CaveatJudge | Refused {
  const facts = readForeignFacts(access, context)
  return isRefused(facts) ? facts : judgeByFacts(facts, NO_TABLES)
}

function notGiven(caveat: string): Refused {
  return refused('caveat_refused', 'a caveat refused: it is none of those that are satisfied', {
    caveat,
    wanted: caveat,
  })
}

function describe(caveat: Uint8Array): { readonly caveat: string } {
  return { caveat: decodeUtf8(caveat) ?? `0x${bytesAsHex(caveat)}` }
}

/** One character a byte: quicker to make than UTF-8, and no two caveats share one. */
function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function bytesAsHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
