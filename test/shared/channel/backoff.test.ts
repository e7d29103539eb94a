import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Backoff, type BackoffEvent, INITIAL_BACKOFF, stepBackoff } from '../../../shared/channel/backoff.ts'
import { plannedAgeMs, rotationDue } from '../../../shared/channel/session.ts'

const unreachable: BackoffEvent = { type: 'failed', code: 'connect_failed', kind: 'unavailable' }
const refused: BackoffEvent = { type: 'failed', code: 'peer_refused', kind: 'denied' }

function delays(event: BackoffEvent, count: number, uniform: number): number[] {
  let backoff: Backoff = INITIAL_BACKOFF
  return Array.from({ length: count }, () => {
    const step = stepBackoff(backoff, event, 0, uniform)
    backoff = step.backoff
    return step.delayMs
  })
}

describe('the backoff', () => {
  it('doubles from 20 ms and stops at half a second', () => {
    expect(delays(unreachable, 8, 1)).toEqual([20, 40, 80, 160, 320, 500, 500, 500])
  })

  it('is longer after a refusal, up to five seconds', () => {
    expect(delays(refused, 7, 1)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000])
  })

  it('has full jitter: anything from nothing to the ceiling', () => {
    expect(delays(unreachable, 3, 0)).toEqual([0, 0, 0])
    expect(delays(unreachable, 3, 0.5)).toEqual([10, 20, 40])
  })

  it('is a finite number however long a node was away', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e9 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, uniform) => {
          const { delayMs } = stepBackoff({ ...INITIAL_BACKOFF, failures }, unreachable, 0, uniform)
          return delayMs >= 0 && delayMs <= 500
        },
      ),
    )
  })

  it('starts over after a connection that held, and goes on after one that was lost at once', () => {
    const five = { failures: 5, connectedMs: undefined, lastCode: undefined }
    const up = stepBackoff(five, { type: 'connected' }, 1000, 1).backoff
    const lost: BackoffEvent = { type: 'lost', code: 'connection_lost' }
    expect(stepBackoff(up, lost, 1010, 1).delayMs).toBe(500)
    expect(stepBackoff(up, lost, 9000, 1).delayMs).toBe(20)
  })

  it('is news once for each reason, not once for each attempt', () => {
    let backoff = INITIAL_BACKOFF
    const news = [refused, refused, unreachable, unreachable, refused].map((event) => {
      const step = stepBackoff(backoff, event, 0, 0)
      backoff = step.backoff
      return step.mustLog
    })
    expect(news).toEqual([true, false, true, false, true])
  })
})

describe('the rotation of connections', () => {
  it('comes between three quarters of a day and a day', () => {
    expect(plannedAgeMs(0)).toBe(64_800_000)
    expect(plannedAgeMs(0.999_999)).toBeLessThan(86_400_000)
  })

  it('comes before the nonces of Noise run out, whatever the age', () => {
    expect(rotationDue(1, 1000, 2 ** 31 - 1)).toBe(false)
    expect(rotationDue(1, 1000, 2 ** 31)).toBe(true)
    expect(rotationDue(1000, 1000, 0)).toBe(true)
  })
})
