/**
 * Revocations as the SDK shows them. The time of a cut-off is `issuedUpToMs` in the SDK, because it limits when a token was
 * issued; the revocation itself has no end. In messages, on disk and in the audit the field is `untilMs`. This file converts.
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

/** Renames the field `untilMs` of a message to `issuedUpToMs`, in each member of a union. An optional field stays optional. */
type WithIssuedUpTo<T> = T extends unknown
  ? { [K in keyof T as K extends 'untilMs' ? 'issuedUpToMs' : K]: T[K] }
  : never

type Listing<T, One> = Omit<T, 'revocations'> & { readonly revocations: readonly One[] }

/** The tokens to count. With `issuedUpToMs`: only those issued up to this time, unix milliseconds, inclusive. */
export type CountRequest = WithIssuedUpTo<CountTokensParams>

/** Every token of a subject that was issued up to `issuedUpToMs`, unix milliseconds, is revoked. */
export type SubjectCutOff = WithIssuedUpTo<SubjectRevoked>

/** Every token of an org that was issued up to `issuedUpToMs`, unix milliseconds, is revoked. */
export type OrgCutOff = WithIssuedUpTo<OrgRevoked>

export type RevocationAnswer = TokenRevoked | SubjectCutOff | OrgCutOff | KeyRetired | OrgDisabled

export type RevocationResult<T extends object = RevocationAnswer> = RevokeResult<T>

/** One revocation of a list. Kinds `subject` and `org` have `issuedUpToMs`: tokens issued up to this time are revoked. */
export type ListedRevocation = WithIssuedUpTo<RevocationDescription>

export type ListedRevocations = Listing<RevocationsResult, ListedRevocation>

export type ListedPendingRevocation = WithIssuedUpTo<PendingRevocation>

export type ListedPendingRevocations = Listing<PendingResult, ListedPendingRevocation>

/** A revocation with its coverage: the replicas where it binds now. */
export type ShownRevocation = ListedRevocation & { readonly coverage: CoverageResult }

export interface ShownRevocations {
  readonly revocations: readonly ShownRevocation[]
  /** True if more revocations were found than are listed here. */
  readonly more: boolean
}

/** Converts a request of the SDK to the parameters of a call. */
export function toWire(request: object): object {
  return renamed(request, 'issuedUpToMs', 'untilMs')
}

/** Converts a revocation, or the answer of a call that revokes, to the form of the SDK. */
export function fromWire<Shown extends object>(answer: object): Shown {
  return renamed(answer, 'untilMs', 'issuedUpToMs') as Shown
}

/** Converts an answer that lists revocations to the form of the SDK. */
export function listFromWire<One extends object, T extends object>(
  answer: T & { readonly revocations: readonly One[] },
): Listing<T, WithIssuedUpTo<One>> {
  return { ...answer, revocations: answer.revocations.map((one) => fromWire<WithIssuedUpTo<One>>(one)) }
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
    ...fromWire<ListedRevocation>(one),
    coverage: await coverageOf(one.seq),
  }))
  return { revocations: await Promise.all(shown), more }
}
