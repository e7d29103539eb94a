/**
 * Nonces of tokens: UUIDs of version 7 (RFC 9562, section 5.7). They increase strictly whatever the wall clock does, because
 * a cut-off revokes by the time in the nonce. The 12 bits of rand_a are a counter; a full counter borrows the next
 * millisecond (RFC 9562, section 6.2, method 1). Pure.
 */
import { assert } from '../errors.ts'
import type { Nonce } from '../ids.ts'
import { hexOf } from './bytes.ts'

/** Time and counter of the newest nonce. */
export interface NonceState {
  readonly lastMs: number
  readonly counter: number
}

export interface NonceStep {
  readonly state: NonceState
  readonly nonce: Nonce
  /** Time of issue in the nonce, unix milliseconds. Never earlier than that of the nonce before. */
  readonly issuedAtMs: number
}

/** Random bytes that one nonce needs. */
export const NONCE_RANDOM_BYTES = 8

const COUNTER_MAX = 0xfff
const TIME_MS_MAX: number = 2 ** 48 - 1
const UUID_V7 = /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/

/** A state whose next nonce has a later millisecond than `ms`. Used at a start, and after a cut-off at `ms`. */
export function resumeNonces(ms: number): NonceState {
  return { lastMs: ms, counter: COUNTER_MAX }
}

/** Makes one nonce. `nowMs` may stand still or go backwards. `random` are 8 fresh random bytes. */
export function nextNonce(state: NonceState, nowMs: number, random: Uint8Array): NonceStep {
  assert(random.length === NONCE_RANDOM_BYTES, 'a nonce takes 8 random bytes')
  const next = advance(state, Math.floor(nowMs))
  assert(next.lastMs >= 0 && next.lastMs <= TIME_MS_MAX, 'the time of a nonce fits into 48 bits')
  const time = next.lastMs.toString(16).padStart(12, '0')
  const version = (0x7000 | next.counter).toString(16)
  const tail = new Uint8Array(random)
  tail[0] = ((random[0] ?? 0) & 0x3f) | 0x80
  return { state: next, nonce: `${time}${version}${hexOf(tail)}` as Nonce, issuedAtMs: next.lastMs }
}

function advance({ lastMs, counter }: NonceState, nowMs: number): NonceState {
  if (nowMs > lastMs) return { lastMs: nowMs, counter: 0 }
  return counter < COUNTER_MAX ? { lastMs, counter: counter + 1 } : { lastMs: lastMs + 1, counter: 0 }
}

/** Time of issue in a nonce, unix milliseconds. */
export function nonceTimeMs(nonce: Nonce): number {
  return Number.parseInt(nonce.slice(0, 12), 16)
}

/** A bound that no nonce of this millisecond exceeds, and every later one does. It is no nonce itself. */
export function endOfMs(ms: number): string {
  return ms.toString(16).padStart(12, '0').padEnd(32, 'f')
}

export function isNonce(text: string): text is Nonce {
  return UUID_V7.test(text)
}
