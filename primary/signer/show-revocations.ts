/** The client's side of `revocations show`: what was revoked, and for each revocation where it binds now. */
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'
import type {
  FindRevocationsParams,
  FindRevocationsResult,
  RevocationDescription,
} from '../../shared/protocol/revoke.ts'

/** A revocation, and where it binds now. */
export interface ShownRevocation extends RevocationDescription {
  readonly coverage: CoverageResult
}

export interface ShownRevocations {
  readonly revocations: readonly ShownRevocation[]
  /** There are more than these. */
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
