/**
 * Verified bundles by their text, by the tokens they go back to, and by what can be attenuated from them. Bounded in number
 * and in bytes; CLOCK decides who goes, because a hit then costs one bit and moves nothing. Nothing of it can be seen from
 * outside: every field is private.
 */
import { type TokenId, tokenId } from '../../../shared/ids.ts'
import { type CachedToken, latin1 } from './cached-token.ts'
import { TAGGED_CHARS_MIN, type TextTagger } from './text-tag.ts'

export interface CacheBounds {
  readonly entries: number
  readonly bytes: number
}

/** Of one minted token as many attenuations are kept to extend: its holder must not be able to make lookups long. */
const CHAINS_A_TOKEN_MAX = 8

interface Slot {
  readonly tag: number
  readonly token: CachedToken
  readonly index: number
  /** Hit since the hand last passed. */
  used: boolean
}

export class TokenCache {
  readonly #bounds: CacheBounds
  readonly #tagOf: TextTagger
  readonly #byTag = new Map<number, Slot>()
  /** By name, own or of an ancestor: what a revocation of that token takes away. */
  readonly #byName = new Map<TokenId, Set<Slot>>()
  /** By identifier, the one that served last in front. */
  readonly #chains = new Map<string, Slot[]>()
  /** The clock's face; a place without an entry waits in `#free`. */
  readonly #face: (Slot | undefined)[] = []
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
   * The entry with exactly this text. The comparison may end early, because it is reached only by a text whose signature
   * has the same keyed hash: nobody can aim at that, and so nobody can feel their way along a signature.
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

  /** It served once more: it stays, and is looked at first. */
  touch(token: CachedToken): void {
    const chains = this.#chains.get(latin1(token.macaroon.identifier))
    const at = chains?.findIndex((slot) => slot.token === token) ?? -1
    const slot = chains?.[at]
    if (chains === undefined || slot === undefined) return
    slot.used = true
    chains.splice(at, 1)
    chains.unshift(slot)
  }

  /** False when it would not fit at all. */
  add(token: CachedToken): boolean {
    if (token.bytes > this.#bounds.bytes) return false
    const tag = this.#tagOf(token.text)
    const before = this.#byTag.get(tag)
    if (before !== undefined) this.#remove(before)
    while (this.#byTag.size >= this.#bounds.entries || this.#bytes + token.bytes > this.#bounds.bytes) this.#evict()
    const slot: Slot = { tag, token, index: this.#free.pop() ?? this.#face.length, used: false }
    this.#face[slot.index] = slot
    this.#byTag.set(tag, slot)
    this.#bytes += token.bytes
    for (const name of namesOf(token)) this.#nameSet(name).add(slot)
    if (token.extendable) this.#addChain(slot)
    return true
  }

  /** What goes back to this token; how many there were. */
  dropNamed(name: TokenId): number {
    const slots = this.#byName.get(name)
    if (slots === undefined) return 0
    const dropped = slots.size
    for (const slot of slots) this.#remove(slot)
    return dropped
  }

  /** Looks at every entry: for what revokes more than a token. How many were dropped. */
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
    this.#face.length = 0
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

  /** Behind the one in front: a chain that is used again and again is not pushed out by what is made from it once. */
  #addChain(slot: Slot): void {
    const identifier = latin1(slot.token.macaroon.identifier)
    const chains = this.#chains.get(identifier) ?? []
    chains.splice(1, 0, slot)
    if (chains.length > CHAINS_A_TOKEN_MAX) chains.pop()
    this.#chains.set(identifier, chains)
  }

  #evict(): void {
    for (;;) {
      if (this.#hand >= this.#face.length) this.#hand = 0
      const slot = this.#face[this.#hand]
      this.#hand += 1
      if (slot === undefined) continue
      if (!slot.used) return this.#remove(slot)
      slot.used = false
    }
  }

  #remove(slot: Slot): void {
    const { tag, token, index } = slot
    this.#byTag.delete(tag)
    this.#face[index] = undefined
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
