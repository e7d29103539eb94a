import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isNonce, nextNonce, type NonceState, nonceTimeMs, resumeNonces } from '../../../shared/macaroon/nonce.ts'

const ZEROS = new Uint8Array(8)
const START: NonceState = { lastMs: 0, counter: 0 }

describe('nonces', () => {
  test('rise strictly while the clock runs, stands still and goes back', () => {
    const clocks = fc.array(fc.tuple(fc.integer({ min: -5_000, max: 5_000 }), fc.boolean()), { maxLength: 200 })
    fc.assert(
      fc.property(clocks, (jumps) => {
        let state = START
        let nowMs = 1_800_000_000_000
        let last = ''
        let lastMs = 0
        for (const [jumpMs, moves] of jumps) {
          if (moves) nowMs += jumpMs
          const step = nextNonce(state, nowMs, ZEROS)
          expect(step.nonce > last && step.issuedAtMs >= lastMs).toBe(true)
          expect(isNonce(step.nonce)).toBe(true)
          expect(nonceTimeMs(step.nonce)).toBe(step.issuedAtMs)
          ;({ state, nonce: last, issuedAtMs: lastMs } = step)
        }
      }),
    )
  })

  test('borrow the next millisecond when 4096 were made in one', () => {
    let state = START
    const nonces = Array.from({ length: 10_000 }, () => {
      const step = nextNonce(state, 1_000, new Uint8Array(8).fill(0xff))
      state = step.state
      return step.nonce
    })
    expect(nonces).toEqual(nonces.toSorted())
    expect(new Set(nonces).size).toBe(10_000)
    expect(state.lastMs).toBe(1_002)
  })

  test('made after a promised cut-off are of a later millisecond, whatever the clock says', () => {
    expect(nextNonce(resumeNonces(5_000), 4_000, ZEROS).issuedAtMs).toBe(5_001)
    expect(nextNonce(resumeNonces(5_000), 5_000, ZEROS).issuedAtMs).toBe(5_001)
    expect(nextNonce(resumeNonces(5_000), 9_000.7, ZEROS).issuedAtMs).toBe(9_000)
  })

  test('refuse a time that 48 bits cannot hold, and the wrong amount of randomness', () => {
    expect(() => nextNonce(START, 2 ** 48, ZEROS)).toThrow('48 bits')
    expect(() => nextNonce(START, Number.NaN, ZEROS)).not.toThrow()
    expect(() => nextNonce(START, 1, new Uint8Array(7))).toThrow('8 random bytes')
  })
})
