/**
 * The entries of the cache. Three indexes find them: by text, by token id (their own and their ancestors'), and by identifier,
 * for attenuated tokens. They are limited in number and bytes. Eviction uses the CLOCK algorithm, because a hit then only sets
 * a bit and moves nothing. Every field is private, so that inspecting or logging the object shows no token.
 */
import { type TokenId, tokenId } from '../../../shared/ids.ts'
import { type CachedToken, latin1 } from './cached-token.ts'
import { TAGGED_CHARS_MIN, type TextTagger } from './text-tag.ts'

export interface CacheBounds {
  readonly entries: number
  readonly bytes: number
}

/** Chains kept for prefix hits per minted token, so that a holder cannot make lookups slow with many attenuations. */
const CHAINS_A_TOKEN_MAX = 8

interface Slot {
  readonly tag: number
  readonly token: CachedToken
  readonly index: number
  /** True if the entry was hit since the hand last passed it. */
  used: boolean
}

export class TokenCache {
  readonly #bounds: CacheBounds
  readonly #tagOf: TextTagger
  readonly #byTag = new Map<number, Slot>()
  /** By token id, their own or an ancestor's: the entries that a revocation of that token denies. */
  readonly #byName = new Map<TokenId, Set<Slot>>()
  /** By identifier. The chain used last comes first. */
  readonly #chains = new Map<string, Slot[]>()
  /** The ring of CLOCK. Indexes without an entry are in `#free`. */
  readonly #ring: (Slot | undefined)[] = []
  readonly #free: number[] = []
  #hand = 0
  #bytes = 0

  constructor(bounds: CacheBounds, tagOf: TextTagger) {
    this.#bounds = bounds
    this.#tagOf = tagOf
  }

  get size(): number {
    return this.#byTag.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * The entry with exactly this text. The comparison need not take constant time: only a text with the same keyed hash of its
   * signature reaches it, and nobody can construct such a text, so timing reveals nothing of a signature.
   */
  find(text: string): CachedToken | undefined {
    if (text.length < TAGGED_CHARS_MIN) return undefined
    const slot = this.#byTag.get(this.#tagOf(text))
    if (slot === undefined || slot.token.text !== text) return undefined
    slot.used = true
    return slot.token
  }

  /** Entries from which a macaroon with this identifier may have been attenuated. */
  chainsOf(identifier: Uint8Array): readonly CachedToken[] {
    return (this.#chains.get(latin1(identifier)) ?? []).map(({ token }) => token)
  }

  /** Marks a chain as used: it is evicted later, and found first. */
  touch(token: CachedToken): void {
    const chains = this.#chains.get(latin1(token.macaroon.identifier))
    const at = chains?.findIndex((slot) => slot.token === token) ?? -1
    const slot = chains?.[at]
    if (chains === undefined || slot === undefined) return
    slot.used = true
    chains.splice(at, 1)
    chains.unshift(slot)
  }

  /** Adds an entry, and evicts others for it. False if it is larger than the whole cache. */
  add(token: CachedToken): boolean {
    if (token.bytes > this.#bounds.bytes) return false
    const tag = this.#tagOf(token.text)
    const before = this.#byTag.get(tag)
    if (before !== undefined) this.#remove(before)
    while (this.#byTag.size >= this.#bounds.entries || this.#bytes + token.bytes > this.#bounds.bytes) this.#evict()
    const slot: Slot = { tag, token, index: this.#free.pop() ?? this.#ring.length, used: false }
    this.#ring[slot.index] = slot
    this.#byTag.set(tag, slot)
    this.#bytes += token.bytes
    for (const name of namesOf(token)) this.#nameSet(name).add(slot)
    if (token.extendable) this.#addChain(slot)
    return true
  }

  /** Drops the token and every token made from it. Returns the number of dropped entries. */
  dropNamed(name: TokenId): number {
    const slots = this.#byName.get(name)
    if (slots === undefined) return 0
    const dropped = slots.size
    for (const slot of slots) this.#remove(slot)
    return dropped
  }

  /** Tests every entry, for a revocation of more than one token. Returns the number of dropped entries. */
  dropWhere(hit: (token: CachedToken) => boolean): number {
    let dropped = 0
    for (const slot of this.#byTag.values()) {
      if (!hit(slot.token)) continue
      this.#remove(slot)
      dropped += 1
    }
    return dropped
  }

  clear(): void {
    this.#byTag.clear()
    this.#byName.clear()
    this.#chains.clear()
    this.#ring.length = 0
    this.#free.length = 0
    this.#hand = 0
    this.#bytes = 0
  }

  #nameSet(name: TokenId): Set<Slot> {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const made = new Set<Slot>()
    this.#byName.set(name, made)
    return made
  }

  /** Inserts a new chain second, so that chains used once do not displace a chain that is used again and again. */
  #addChain(slot: Slot): void {
    const identifier = latin1(slot.token.macaroon.identifier)
    const chains = this.#chains.get(identifier) ?? []
    chains.splice(1, 0, slot)
    if (chains.length > CHAINS_A_TOKEN_MAX) chains.pop()
    this.#chains.set(identifier, chains)
  }

  #evict(): void {
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0
      const slot = this.#ring[this.#hand]
      this.#hand += 1
      if (slot === undefined) continue
      if (!slot.used) return this.#remove(slot)
      slot.used = false
    }
  }

  #remove(slot: Slot): void {
    const { tag, token, index } = slot
    this.#byTag.delete(tag)
    this.#ring[index] = undefined
    this.#free.push(index)
    this.#bytes -= token.bytes
    for (const name of namesOf(token)) this.#forget(name, slot)
    const identifier = latin1(token.macaroon.identifier)
    const chains = this.#chains.get(identifier)?.filter((other) => other !== slot) ?? []
    if (chains.length === 0) this.#chains.delete(identifier)
    else this.#chains.set(identifier, chains)
  }

  #forget(name: TokenId, slot: Slot): void {
    const slots = this.#byName.get(name)
    slots?.delete(slot)
    if (slots?.size === 0) this.#byName.delete(name)
  }
}

function namesOf({ identifier }: CachedToken): readonly TokenId[] {
  return [identifier, ...identifier.ancestors].map(({ kid, nonce }) => tokenId(kid, nonce))
}
