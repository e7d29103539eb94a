/**
 * Caches compiled predicates by the bytes of their caveat. Compiling is pure, so the cache changes only the cost. The number
 * and the length of its entries are bounded, because holders choose these bytes.
 *
 * The cache is two-way set-associative. In a set the entry used last comes first, and a new entry replaces the other one.
 * An attacker who fills a set on purpose only makes others compile again.
 */
import { assert } from '../../errors.ts'
import { PREDICATE_CACHE_ENTRIES_MAX, PREDICATE_CACHED_BYTES_MAX } from '../../limits.ts'
import { decodeUtf8 } from '../utf8.ts'
import { compilePredicate } from './compile.ts'
import type { Predicate } from './predicate.ts'
import { unknown, type UnknownPredicate } from './unknown.ts'

export interface CompiledCaveat {
  /** The caveat as text, or `0x…` if it is not UTF-8. */
  readonly text: string
  readonly predicate: Predicate | UnknownPredicate
}

interface Slot extends CompiledCaveat {
  readonly cid: Uint8Array
}

export class PredicateCache {
  readonly #slots: (Slot | undefined)[]
  readonly #mask: number

  /** `entriesMax` is a power of two. */
  constructor(entriesMax: number = PREDICATE_CACHE_ENTRIES_MAX) {
    assert(entriesMax >= 2 && (entriesMax & (entriesMax - 1)) === 0, 'the size of a cache is a power of two')
    this.#slots = Array.from({ length: entriesMax }, () => undefined)
    this.#mask = entriesMax - 2
  }

  compile(cid: Uint8Array): CompiledCaveat {
    if (cid.length > PREDICATE_CACHED_BYTES_MAX) return compileCaveat(cid)
    const slots = this.#slots
    const front = hashOf(cid) & this.#mask
    const first = slots[front]
    if (first !== undefined && sameBytes(first.cid, cid)) return first
    const second = slots[front + 1]
    const found = second !== undefined && sameBytes(second.cid, cid) ? second : newSlot(cid)
    slots[front + 1] = first
    slots[front] = found
    return found
  }
}

/** Copies the bytes, because the caller's may be a view that keeps a whole request in memory. */
function newSlot(cid: Uint8Array): Slot {
  return { cid: new Uint8Array(cid), ...compileCaveat(cid) }
}

/** Compiles without the cache, for callers that keep the result. */
export function compileCaveat(cid: Uint8Array): CompiledCaveat {
  const text = decodeUtf8(cid)
  if (text !== undefined) return { text, predicate: compilePredicate(text) }
  const hex = Buffer.from(cid.buffer, cid.byteOffset, cid.length).toString('hex')
  return { text: `0x${hex}`, predicate: unknown('a predicate in UTF-8') }
}

/** FNV-1a. The hash only chooses the set; the lookup compares the bytes. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash ^ (hash >>> 15)
}

/** Not in constant time: a caveat is no secret, because its holder knows it. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
