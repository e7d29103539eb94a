import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Pulse, startPulse, stepPulse } from '../../../shared/channel/pulse.ts'

const limits = { intervalMs: 1000, silenceMs: 3000 }

/** Steps at each moment a timer would, and says when silence was called. */
function silentAt(pulse: Pulse, listening = true, untilMs = 100_000): number | undefined {
  let current = pulse
  for (let now = current.dueMs; now <= untilMs; now = current.dueMs) {
    const step = stepPulse(current, now, listening, limits)
    if (step.silent) return now
    current = step.pulse
  }
  return undefined
}

describe('a pulse', () => {
  it('calls a peer dead exactly when it was silent for three seconds', () => {
    expect(silentAt(startPulse(0, limits))).toBe(3000)
    expect(silentAt({ ...startPulse(0, limits), heardMs: 700 })).toBe(3700)
  })

  it('beats once each interval', () => {
    let pulse = startPulse(0, limits)
    const beats: number[] = []
    while (pulse.dueMs <= 10_000) {
      const now = pulse.dueMs
      const step = stepPulse({ ...pulse, heardMs: now }, now, true, limits)
      if (step.beat) beats.push(now)
      pulse = step.pulse
    }
    expect(beats).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000])
  })

  it('never calls silence while reading is stopped, and starts counting anew afterwards', () => {
    const pulse = startPulse(0, limits)
    expect(silentAt(pulse, false)).toBeUndefined()
    const stopped = stepPulse(pulse, 9000, false, limits)
    expect(silentAt(stopped.pulse)).toBe(12_000)
  })

  it('does not count its own stall as the silence of the peer', () => {
    const pulse = { heardMs: 900, beatMs: 1000, dueMs: 2000 }
    const step = stepPulse(pulse, 62_000, true, limits)
    expect(step.silent).toBe(false)
    expect(silentAt(step.pulse)).toBe(62_000 + 3000 - 1100)
  })

  it('leaves one interval after a stall that came just before the end', () => {
    const pulse = { heardMs: 0, beatMs: 2000, dueMs: 2990 }
    expect(silentAt(stepPulse(pulse, 8000, true, limits).pulse)).toBe(9000)
  })

  it('calls silence in the end, however often the loop stalls', () => {
    const stalls = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 40, maxLength: 40 })
    fc.assert(
      fc.property(stalls, (lateness) => {
        let pulse = startPulse(0, limits)
        for (const late of [...lateness, 0, 0, 0, 0]) {
          const step = stepPulse(pulse, pulse.dueMs + late, true, limits)
          if (step.silent) return true
          pulse = step.pulse
        }
        return false
      }),
    )
  })
})
