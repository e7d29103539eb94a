/**
 * Pure core that decides when a connection is replaced. This Noise implementation counts frames with 32 bits and cannot change
 * keys, so a connection must end before the counter does. We choose a time when the new connection can overlap the old one.
 */
import { CONNECTION_AGE_MS_MAX, NOISE_FRAMES_MAX } from '../limits.ts'

/** Between 75 % and 100 % of the largest age, so that the peers of a restarted node do not all reconnect at once again. */
export function plannedAgeMs(uniform: number, ageMsMax: number = CONNECTION_AGE_MS_MAX): number {
  return ageMsMax * (0.75 + 0.25 * uniform)
}

/** True if the connection has reached its planned age, or the limit of Noise frames. */
export function rotationDue(ageMs: number, plannedMs: number, frames: number): boolean {
  return ageMs >= plannedMs || frames >= NOISE_FRAMES_MAX
}
