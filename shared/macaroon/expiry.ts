/** When a token expires in fact: by itself, or by the earliest of its `time` caveats. */
import { endOfCaveatMs } from './predicate/time.ts'

export interface Expiry {
  /** Unix milliseconds. */
  readonly atMs: number
  /** The caveat that lets the token expire then; undefined if it is the token’s own expiry. */
  readonly caveat: string | undefined
}

/** The earliest expiry of all; undefined for never. `expiresAt` is the token's own, unix seconds, 0 for never. */
export function earliestExpiry(expiresAt: number, caveats: readonly string[]): Expiry | undefined {
  const own: readonly Expiry[] = expiresAt === 0 ? [] : [{ atMs: expiresAt * 1_000, caveat: undefined }]
  const [first] = [...own, ...caveats.flatMap(ofCaveat)].toSorted((a, b) => a.atMs - b.atMs)
  return first
}

function ofCaveat(caveat: string): readonly Expiry[] {
  const atMs = endOfCaveatMs(caveat)
  return atMs === undefined ? [] : [{ atMs, caveat }]
}
