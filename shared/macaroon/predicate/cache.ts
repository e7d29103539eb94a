/**
 * Compiled predicates by the bytes of their caveat. Compiling is pure, so a cache changes nothing but the cost; it is
 * bounded in count and in the length of what it keeps, because holders write these bytes.
 *
 * Sets of two slots: a caveat may stand in either slot of its set, the one used last in front, and a new one takes the
 * place of the other. Whoever fills a set on purpose costs its neighbours a compilation, nothing more.
 */
import { assert } from '../../errors.ts'
import { PREDICATE_CACHE_ENTRIES_MAX, PREDICATE_CACHED_BYTES_MAX } from '../../limits.ts'
import { decodeUtf8 } from '../utf8.ts'
import { compilePredicate } from './compile.ts'
import { type Predicate, unknown, type UnknownPredicate } from './predicate.ts'

export interface CompiledCaveat {
  /** As text, or `0x…` when it is not UTF-8. */
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

/** With a copy of the bytes: those of the caller may be a view into a whole request. */
function newSlot(cid: Uint8Array): Slot {
  return { cid: new Uint8Array(cid), ...compileCaveat(cid) }
}

/** Without the cache, for who keeps what comes out. */
export function compileCaveat(cid: Uint8Array): CompiledCaveat {
  const text = decodeUtf8(cid)
  if (text !== undefined) return { text, predicate: compilePredicate(text) }
  const hex = Buffer.from(cid.buffer, cid.byteOffset, cid.length).toString('hex')
  return { text: `0x${hex}`, predicate: unknown('a predicate in UTF-8') }
}

/** FNV-1a. It only spreads caveats over sets; bytes decide. */
function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash ^ (hash >>> 15)
}

/** A caveat is no secret of the verifier: its holder has it, so this comparison may end early. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}
