/** The client side of `--wait global`: repeats the coverage request until the revocation binds everywhere. */
import { MacaroondError } from '../../shared/errors.ts'
import { COVERAGE_WAIT_MS_MAX } from '../../shared/limits.ts'
import { parsePosition } from '../../shared/position.ts'
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'

export interface UntilCoveredOptions {
  readonly ask: (params: CoverageParams) => Promise<CoverageResult>
  readonly nowMs: () => number
  /** Failed requests are retried for this long, because the primary may be starting. */
  readonly timeoutMs: number
  readonly onProgress?: ((soFar: CoverageResult) => void) | undefined
}

/** Rejects with position_superseded, epoch_unsettled, or the last error if the primary did not answer for `timeoutMs`. */
export async function untilCovered(
  { seq, position }: { readonly seq: number; readonly position: string },
  { ask, nowMs, timeoutMs, onProgress }: UntilCoveredOptions,
): Promise<CoverageResult> {
  const { epoch } = parsePosition(position)
  // The first request does not wait, so that `onProgress` is called at once.
  let waitMs = 0
  let lastAnswerMs = nowMs()
  for (;;) {
    try {
      const result = await ask({ epoch, seq, waitMs })
      if (result.covered) return result
      onProgress?.(result)
      waitMs = COVERAGE_WAIT_MS_MAX / 2
      lastAnswerMs = nowMs()
    } catch (error) {
      if (!isTransient(error) || nowMs() - lastAnswerMs > timeoutMs) throw error
    }
  }
}

/**
 * True for errors after which a retry may succeed. It does not after `closed`, nor after `epoch_unsettled`, which may need an
 * operator.
 */
function isTransient(error: unknown): boolean {
  if (!(error instanceof MacaroondError) || error.kind !== 'unavailable') return false
  return error.code !== 'closed' && error.code !== 'epoch_unsettled'
}
