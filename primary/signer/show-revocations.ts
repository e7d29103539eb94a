/** The client side of `revocations show`: finds revocations, and asks for each one where it binds now. */
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'
import type {
  FindRevocationsParams,
  FindRevocationsResult,
  RevocationDescription,
} from '../../shared/protocol/revoke.ts'

/** A revocation with its coverage: the replicas where it binds now. */
export interface ShownRevocation extends RevocationDescription {
  readonly coverage: CoverageResult
}

export interface ShownRevocations {
  readonly revocations: readonly ShownRevocation[]
  /** True if there are more. */
  readonly more: boolean
}

export async function showRevocations(
  call: <T>(method: string, params: object) => Promise<T>,
  query: FindRevocationsParams,
): Promise<ShownRevocations> {
  const { revocations, more, epoch } = await call<FindRevocationsResult>('revocations.find', query)
  const coverageOf = (seq: number): Promise<CoverageResult> => {
    const params: CoverageParams = { epoch, seq, waitMs: 0 }
    return call('revocations.coverage', params)
  }
  const shown = revocations.map(async (one) => ({ ...one, coverage: await coverageOf(one.seq) }))
  return { revocations: await Promise.all(shown), more }
}
