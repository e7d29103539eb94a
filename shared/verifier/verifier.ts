/**
 * Judges a token and its discharges for an access, from tables alone: no I/O, no clock, no state. The order of the checks is
 * part of the security: text, bytes, identifier, key, HMAC chain. The content of the token is believed, or shown, only after
 * the chain matched. `judge` and `explain` run the same checks; `explain` also records them and continues after a refusal.
 */
import { assert, type ErrorCode, MacaroondError } from '../errors.ts'
import { type TokenId, tokenId } from '../ids.ts'
import { decodeBundle } from '../macaroon/bundle.ts'
import { pasteFault, pasteSentence } from '../macaroon/paste.ts'
import { decodeIdentifier, type TokenIdentifier } from '../macaroon/identifier.ts'
import type { Macaroon } from '../macaroon/macaroon.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import { type VerifiedChain, type VerifiedMacaroon, verifyChain } from '../macaroon/signature.ts'
import { looksLikeTicket } from '../macaroon/ticket.ts'
import { type Access, type Context, readFacts } from './access.ts'
import { clearBundle, type ClearedBundle, type UsedDischarge } from './clear.ts'
import { judgeByFacts } from './facts-judge.ts'
import type { KeyEntry } from './key-table.ts'
import { keyUnknown, revocationStatus, type TokenTables } from './revocation-status.ts'
import type { CaveatTrace, CheckName, CheckTrace, Explanation, TokenTrace } from './trace.ts'
import {
  type Accepted,
  isRefused,
  isUnreadableReason,
  type Refused,
  refused,
  type UnreadableReason,
  type Verdict,
} from './verdict.ts'
import { verifyDischarges } from './verified-bundle.ts'
import { WorkBudget } from './work.ts'

export type { TokenTables } from './revocation-status.ts'

export interface VerificationRequest {
  /** The token as text, or a bundle: the token first, then its discharges, joined with `~`. */
  readonly token: string
  readonly access: Access
}

/** An accepted token with the parts that were verified, for callers that make another token from it. */
export interface Examination {
  readonly ok: true
  readonly verdict: Accepted
  readonly identifier: TokenIdentifier
  readonly macaroon: VerifiedMacaroon
  /** Discharges for the third-party caveats of the token, in order. */
  readonly used: readonly UsedDischarge[]
}

/** The verdict on a token. Never throws, for any token and any access. */
export function judge(request: VerificationRequest, tables: TokenTables, context: Context): Verdict {
  const examined = examine(request, tables, context)
  return examined.ok ? examined.verdict : examined
}

/** Like `judge`, and also returns the verified parts of an accepted token. `judgeBy` judges the caveats. */
export function examine(
  request: VerificationRequest,
  tables: TokenTables,
  context: Context,
  judgeBy: typeof judgeByFacts = judgeByFacts,
): Examination | Refused {
  return new Verification({ tables, context, judgeBy }).run(request)
}

/**
 * The verdict that `judge` gives, with the checks and caveats behind it. It shows the content of the token, so it is only for
 * its holder and for operators. A second run records the trace, so verdict and work are exactly those of `judge`.
 */
export function explain(request: VerificationRequest, tables: TokenTables, context: Context): Explanation {
  const plain = new Verification({ tables, context })
  const examined = plain.run(request)
  const recorder: TraceRecorder = { checks: [], caveats: [] }
  new Verification({ tables, context, recorder }).run(request)
  const verdict = examined.ok ? examined.verdict : examined
  return { verdict, ...recorder, judgedBy: context, work: plain.work.done }
}

/** Collects the trace of an explanation. */
interface TraceRecorder {
  readonly checks: CheckTrace[]
  readonly caveats: CaveatTrace[]
  token?: TokenTrace
}

interface VerificationOptions {
  readonly tables: TokenTables
  readonly context: Context
  /** If given, the run records every check here, and continues after a refusal where it can. */
  readonly recorder?: TraceRecorder
  readonly judgeBy?: typeof judgeByFacts
}

/** A decoded bundle. Nothing in it is authentic yet. */
interface Bundle {
  readonly macaroon: Macaroon
  readonly discharges: readonly Macaroon[]
  readonly identifier: TokenIdentifier
}

/** One run through the checks, for one request. */
class Verification {
  readonly work: WorkBudget = new WorkBudget()
  readonly recorder: TraceRecorder | undefined
  readonly #tables: TokenTables
  readonly #context: Context
  readonly #judgeBy: typeof judgeByFacts
  /** The first refusal is the verdict, even if the run continues to record further checks. */
  #refusal: Refused | undefined

  constructor({ tables, context, recorder, judgeBy = judgeByFacts }: VerificationOptions) {
    this.#tables = tables
    this.#context = context
    this.#judgeBy = judgeBy
    this.recorder = recorder
  }

  /** Runs the checks up to the HMAC chain, then the others. Until the chain matches, no refusal shows content of the token. */
  run({ token, access }: VerificationRequest): Examination | Refused {
    if (this.#stops('clock', credible(this.#context))) return this.#verdict()
    const bundle = readBundle(token)
    if (this.#fails('encoding', bundle)) return this.#verdict()
    const { identifier, macaroon } = bundle
    const key = openKey(this.#tables.key(identifier.kid), identifier)
    if (this.#fails('key', key)) return this.#verdict()
    const chain = verifyChain(macaroon, key.derivedKey) ?? signatureWrong()
    if (this.#fails('signature', chain)) return this.#verdict()
    if (this.recorder !== undefined) this.recorder.token = tokenTrace(bundle, key)
    return this.#authentic(bundle, key, chain, access)
  }

  /** The checks of an authentic token: revocation, expiry, access, org, discharges, caveats. */
  #authentic(bundle: Bundle, key: KeyEntry, chain: VerifiedChain, access: Access): Examination | Refused {
    const { identifier, discharges } = bundle
    if (this.#stops('standing', revocationStatus(identifier, key, this.#tables))) return this.#verdict()
    if (this.#stops('expiry', expiry(identifier, this.#context))) return this.#verdict()
    const facts = readFacts(access, this.#context)
    if (this.#fails('access', facts)) return this.#verdict()
    if (this.#stops('org', facts.org === key.org ? undefined : orgMismatch())) return this.#verdict()
    const node = verifyDischarges(chain, discharges, this.work)
    if (this.#fails('discharges', node)) return this.#verdict()
    const judge = this.#judgeBy(facts, this.#tables)
    const trace = this.recorder?.caveats
    const cleared = clearBundle(node, { judge, work: this.work, ...(trace && { trace }) })
    if (this.#fails('caveats', cleared)) return this.#verdict()
    const verdict = this.#refusal ?? accepted(bundle, key, cleared)
    return verdict.ok ? { ok: true, verdict, identifier, macaroon: chain.macaroon, used: cleared.used } : verdict
  }

  /** Records a check. True if it failed; the run then ends, because later checks need its result. */
  #fails(check: CheckName, result: object): result is Refused {
    const refusal = isRefused(result) ? result : undefined
    this.recorder?.checks.push(refusal === undefined ? { check, held: true } : { check, held: false, refusal })
    this.#refusal ??= refusal
    return refusal !== undefined
  }

  /** Records a check on which no other check depends. True if the run ends here: it failed, and no trace is recorded. */
  #stops(check: CheckName, refusal: Refused | undefined): boolean {
    return this.#fails(check, refusal ?? HELD) && (this.recorder === undefined || check === 'clock')
  }

  #verdict(): Refused {
    assert(this.#refusal !== undefined, 'a verification that ends early has a refusal')
    return this.#refusal
  }
}

const HELD = {}

/** Refuses times that are not finite or not ordered. Comparisons with NaN are false, so a check could pass by accident. */
export function credible({ nowEarliestMs, nowLatestMs }: Context): Refused | undefined {
  const known = Number.isFinite(nowEarliestMs) && Number.isFinite(nowLatestMs) && nowEarliestMs <= nowLatestMs
  return known ? undefined : refused('unavailable', 'this node does not know the time')
}

function readBundle(text: string): Bundle | Refused {
  try {
    const [macaroon, ...discharges] = decodeBundle(text)
    assert(macaroon !== undefined, 'a bundle has a token')
    if (looksLikeTicket(macaroon.identifier)) return dischargeAsToken()
    return { macaroon, discharges, identifier: decodeIdentifier(macaroon.identifier) }
  } catch (error) {
    if (error instanceof MacaroondError) return refused(unreadable(error.code), unreadableText(text, error))
    throw error
  }
}

/** A longer text was not pasted by a person, and must not cost the node more than decoding it. */
const PASTED_CHARS_MAX = 32_768

/** A verdict has no hint, so the message itself says what to do with a token that was pasted with something else. */
function unreadableText(text: unknown, error: MacaroondError): string {
  const fault = typeof text === 'string' && text.length <= PASTED_CHARS_MAX ? pasteFault(text) : undefined
  return fault === undefined ? error.message : pasteSentence(fault)
}

/** Errors of decoding become refusals with the same code, because a verdict is never an exception. */
function unreadable(code: ErrorCode): UnreadableReason {
  return isUnreadableReason(code) ? code : 'token_malformed'
}

function dischargeAsToken(): Refused {
  return refused('token_malformed', 'this is a discharge; put the token that it belongs to in front of it')
}

/** The key of a token. Refuses if the key is unknown, or if this node could not unseal it. */
function openKey(
  key: KeyEntry | undefined,
  { nonce }: TokenIdentifier,
): (KeyEntry & { readonly derivedKey: Uint8Array }) | Refused {
  if (key === undefined) return keyUnknown(nonce)
  const { derivedKey } = key
  if (derivedKey !== undefined) return { ...key, derivedKey }
  return refused('unavailable', 'this node cannot open the key of this token: it lacks the key-encryption key')
}

function signatureWrong(): Refused {
  return refused('signature_wrong', 'the signature does not match: the token was changed')
}

export function orgMismatch(): Refused {
  return refused('org_mismatch', 'the token is not for the org that the access names')
}

export function expiry(
  { expiresAt }: Pick<TokenIdentifier, 'expiresAt'>,
  { nowLatestMs }: Context,
): Refused | undefined {
  if (expiresAt === 0 || nowLatestMs < expiresAt * 1000) return undefined
  return refused('expired', `the token expired at ${new Date(expiresAt * 1000).toISOString()}`)
}

export function accepted(
  { identifier, macaroon }: Pick<Bundle, 'identifier' | 'macaroon'>,
  { org }: Pick<KeyEntry, 'org'>,
  { notes, presented }: Pick<ClearedBundle, 'notes' | 'presented'>,
): Accepted {
  const { kid, nonce, subject, expiresAt } = identifier
  const caveatCount = macaroon.caveats.length
  const base = { ok: true, id: tokenId(kid, nonce), org, subject, notes, caveatCount } as const
  return {
    ...base,
    ...(expiresAt === 0 ? {} : { expiresAt }),
    ...(presented.length === 0 ? {} : { presented: presented as readonly TokenId[] }),
  }
}

function tokenTrace({ identifier, macaroon, discharges }: Bundle, key: KeyEntry): TokenTrace {
  const { kid, nonce, subject, expiresAt, ancestors } = identifier
  return {
    id: tokenId(kid, nonce),
    org: key.org,
    subject,
    issuedAtMs: nonceTimeMs(nonce),
    ...(expiresAt === 0 ? {} : { expiresAt }),
    ancestors: ancestors.map((ancestor) => tokenId(ancestor.kid, ancestor.nonce)),
    caveatCount: macaroon.caveats.length,
    dischargeCount: discharges.length,
  }
}
