/**
 * When a connection is old enough to be replaced. Pure. Noise counts frames with 32 bits here and cannot change keys, so a
 * connection has an end; it comes at a moment that we choose.
 */
import { CONNECTION_AGE_MS_MAX, NOISE_FRAMES_MAX } from '../limits.ts'

/** Between three quarters of a day and a day, so that the peers of a node that was restarted spread out. */
export function plannedAgeMs(uniform: number, ageMsMax: number = CONNECTION_AGE_MS_MAX): number {
  return ageMsMax * (0.75 + 0.25 * uniform)
}

export function rotationDue(ageMs: number, plannedMs: number, frames: number): boolean {
  return ageMs >= plannedMs || frames >= NOISE_FRAMES_MAX
}
