/**
 * Revocations as the SDK shows them. The time of a cut-off is `issuedUpToMs` here, because it limits when a token was issued, and
 * the revocation itself has no end. In messages, on disk and in the audit the field is `untilMs`; this file renames it.
 */
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'
import type { PendingResult, PendingRevocation } from '../../shared/protocol/pending.ts'
import type {
  CountTokensParams,
  FindRevocationsParams,
  FindRevocationsResult,
  KeyRetired,
  OrgDisabled,
  OrgRevoked,
  RevocationDescription,
  RevocationsResult,
  RevokeResult,
  SubjectRevoked,
  TokenRevoked,
} from '../../shared/protocol/revoke.ts'

/** Replaces the message's field by the SDK's, optional where that is optional. Works on each member of a union. */
type IssuedUpTo<T> = T extends unknown ? { [K in keyof T as K extends 'untilMs' ? 'issuedUpToMs' : K]: T[K] } : never

type Listing<T, One> = Omit<T, 'revocations'> & { readonly revocations: readonly One[] }

/** The tokens to count. With `issuedUpToMs`: only those issued up to this time, unix milliseconds, inclusive. */
export type CountRequest = IssuedUpTo<CountTokensParams>

/** Every token of a subject that was issued up to `issuedUpToMs`, unix milliseconds, is revoked. */
export type SubjectCutOff = IssuedUpTo<SubjectRevoked>

/** Every token of an org that was issued up to `issuedUpToMs`, unix milliseconds, is revoked. */
export type OrgCutOff = IssuedUpTo<OrgRevoked>

export type RevocationAnswer = TokenRevoked | SubjectCutOff | OrgCutOff | KeyRetired | OrgDisabled

export type RevocationResult<T extends object = RevocationAnswer> = RevokeResult<T>

/** One revocation of a list. Kinds `subject` and `org` have `issuedUpToMs`: tokens issued up to this time are revoked. */
export type ListedRevocation = IssuedUpTo<RevocationDescription>

export type ListedRevocations = Listing<RevocationsResult, ListedRevocation>

export type WaitingRevocation = IssuedUpTo<PendingRevocation>

export type WaitingRevocations = Listing<PendingResult, WaitingRevocation>

/** A revocation with its coverage: the replicas where it binds now. */
export type ShownRevocation = ListedRevocation & { readonly coverage: CoverageResult }

export interface ShownRevocations {
  readonly revocations: readonly ShownRevocation[]
  /** True if there are more. */
  readonly more: boolean
}

/** The parameters of a call from a request of the SDK. */
export function fromIssuedUpTo(request: object): object {
  return renamed(request, 'issuedUpToMs', 'untilMs')
}

/** One revocation, or the answer of a call that revokes, as the SDK shows it. */
export function toIssuedUpTo<Shown extends object>(answer: object): Shown {
  return renamed(answer, 'untilMs', 'issuedUpToMs') as Shown
}

/** An answer that lists revocations, as the SDK shows it. */
export function listed<One extends object, T extends object>(
  answer: T & { readonly revocations: readonly One[] },
): Listing<T, IssuedUpTo<One>> {
  return { ...answer, revocations: answer.revocations.map((one) => toIssuedUpTo<IssuedUpTo<One>>(one)) }
}

/** Keeps the order of the fields, because the command line prints them as JSON. */
function renamed(value: object, from: string, to: string): object {
  return Object.fromEntries(Object.entries(value).map(([field, content]) => [field === from ? to : field, content]))
}

/** Finds revocations, and asks for each one where it binds now. */
export async function showRevocations(
  call: <T>(method: string, params: object) => Promise<T>,
  query: FindRevocationsParams,
): Promise<ShownRevocations> {
  const { revocations, more, epoch } = await call<FindRevocationsResult>('revocations.find', query)
  const coverageOf = (seq: number): Promise<CoverageResult> => {
    const params: CoverageParams = { epoch, seq, waitMs: 0 }
    return call('revocations.coverage', params)
  }
  const shown = revocations.map(async (one) => ({
    ...toIssuedUpTo<ListedRevocation>(one),
    coverage: await coverageOf(one.seq),
  }))
  return { revocations: await Promise.all(shown), more }
}
