/**
 * Compiled predicates by their text. Compiling is pure, so a cache changes nothing but the cost; it is bounded in count
 * and in the length of what it keeps, because holders write these texts.
 *
 * Two generations instead of a list in order of use: a hit writes nothing, and what was not asked for during a whole
 * generation is dropped with it.
 */
import { PREDICATE_CACHE_ENTRIES_MAX, PREDICATE_CACHED_CHARS_MAX } from '../../limits.ts'
import { compilePredicate } from './compile.ts'
import type { Predicate, UnknownPredicate } from './predicate.ts'

export class PredicateCache {
  readonly #generationMax: number
  #young = new Map<string, Predicate | UnknownPredicate>()
  #old = new Map<string, Predicate | UnknownPredicate>()

  constructor(entriesMax: number = PREDICATE_CACHE_ENTRIES_MAX) {
    this.#generationMax = Math.ceil(entriesMax / 2)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  compile(text: string): Predicate | UnknownPredicate {
    const known = this.#young.get(text)
    if (known !== undefined) return known
    const predicate = this.#old.get(text) ?? compilePredicate(text)
    if (text.length <= PREDICATE_CACHED_CHARS_MAX) this.#keep(text, predicate)
    return predicate
  }

  #keep(text: string, predicate: Predicate | UnknownPredicate): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#old.delete(text)
    this.#young.set(text, predicate)
  }
}
