/** The client's side of `--wait global`: asks again until nobody accepts the revoked token any more. */
import { MacaroondError } from '../../shared/errors.ts'
import { COVERAGE_WAIT_MS_MAX } from '../../shared/limits.ts'
import { parsePosition } from '../../shared/position.ts'
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'

export interface UntilCoveredOptions {
  readonly ask: (params: CoverageParams) => Promise<CoverageResult>
  readonly nowMs: () => number
  /** A primary that does not answer is asked again for so long: it may be starting. */
  readonly timeoutMs: number
  readonly onProgress?: ((soFar: CoverageResult) => void) | undefined
}

/** Rejects with position_superseded, epoch_unsettled, or what kept the primary from answering for `timeoutMs`. */
export async function untilCovered(
  { seq, position }: { readonly seq: number; readonly position: string },
  { ask, nowMs, timeoutMs, onProgress }: UntilCoveredOptions,
): Promise<CoverageResult> {
  const { epoch } = parsePosition(position)
  // The first answer comes at once, so that whoever watches sees what is waited for.
  let waitMs = 0
  let heardMs = nowMs()
  for (;;) {
    try {
      const result = await ask({ epoch, seq, waitMs })
      if (result.covered) return result
      onProgress?.(result)
      waitMs = COVERAGE_WAIT_MS_MAX / 2
      heardMs = nowMs()
    } catch (error) {
      if (!isPassing(error) || nowMs() - heardMs > timeoutMs) throw error
    }
  }
}

/** The primary may answer in a moment; a client that is closed, or an epoch that is not everybody's, stays so. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof MacaroondError) || error.kind !== 'unavailable') return false
  return error.code !== 'closed' && error.code !== 'epoch_unsettled'
}
