import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { retryDelayMs, type S3Failure } from '../../../../shared/archive/s3/retry.ts'
import { S3_ATTEMPTS_MAX, S3_RETRY_BASE_MS, S3_RETRY_MS_MAX, S3_SLOW_DOWN_BASE_MS } from '../../../../shared/limits.ts'

const almostOne = 1 - 2 ** -53
const cut: S3Failure = { status: undefined, code: 'ECONNRESET' }

describe('another attempt', () => {
  test('follows a transient failure: no answer, a busy store, a store’s error, damage on the way', () => {
    const passing: readonly S3Failure[] = [
      cut,
      { status: 500, code: 'InternalError' },
      { status: 503, code: 'SlowDown' },
      { status: 429, code: '429' },
      { status: 409, code: 'ConditionalRequestConflict' },
      { status: 400, code: 'BadDigest' },
      { status: 200, code: 'SlowDown' },
    ]
    for (const failure of passing) expect(retryDelayMs(failure, 1, 0.5), failure.code).toBeGreaterThan(0)
  })

  test('does not come after what stays', () => {
    const lasting: readonly (readonly [number, string])[] = [
      [403, 'AccessDenied'],
      [404, 'NoSuchBucket'],
      [400, 'InvalidArgument'],
      [301, 'PermanentRedirect'],
      [501, 'NotImplemented'],
      [507, 'InsufficientStorage'],
    ]
    for (const [status, code] of lasting) expect(retryDelayMs({ status, code }, 1, 0.5), code).toBeUndefined()
  })

  test('waits up to twice as long each time, longer for a busy store, and in the end is not made', () => {
    for (let attempt = 1; attempt < S3_ATTEMPTS_MAX; attempt += 1) {
      const growth = 2 ** (attempt - 1)
      expect(retryDelayMs(cut, attempt, 0)).toBe(0)
      expect(retryDelayMs(cut, attempt, almostOne)).toBeCloseTo(S3_RETRY_BASE_MS * growth)
      const busy = retryDelayMs({ status: 503, code: 'SlowDown' }, attempt, almostOne)
      expect(busy).toBeCloseTo(Math.min(S3_RETRY_MS_MAX, S3_SLOW_DOWN_BASE_MS * growth))
    }
    expect(retryDelayMs(cut, S3_ATTEMPTS_MAX, 0)).toBeUndefined()
  })

  test('waits as long as the store asks, and never longer than the cap', () => {
    expect(retryDelayMs({ status: 503, code: '503', retryAfterMs: 4_000 }, 1, 0)).toBe(4_000)
    fc.assert(
      fc.property(
        fc.record({
          status: fc.constantFrom(undefined, 429, 500, 503),
          code: fc.string(),
          retryAfterMs: fc.option(fc.double({ min: 0, noNaN: true }), { nil: undefined }),
        }),
        fc.nat(),
        fc.double({ min: 0, max: almostOne, noNaN: true }),
        (failure, attempt, uniform) => {
          const delayMs = retryDelayMs(failure, attempt, uniform)
          return delayMs === undefined ? attempt >= S3_ATTEMPTS_MAX : delayMs >= 0 && delayMs <= S3_RETRY_MS_MAX
        },
      ),
    )
  })
})
