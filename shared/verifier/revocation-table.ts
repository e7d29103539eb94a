/**
 * The set of revoked tokens in memory: a hash table with open addressing and linear probing in one Uint32Array. A slot has six
 * words: the index of the key, the whole nonce, and the expiry. It holds the whole nonce because a fingerprint would one day
 * refuse a token that nobody revoked (S12 in ARCHITECTURE.md). Each node sweeps outlived entries by itself.
 */
import { assert } from '../errors.ts'
import type { Kid, Nonce } from '../ids.ts'
import { SWEEP_SLOTS_MAX } from '../limits.ts'
import type { TokenRevocation } from './revocation-row.ts'
import { halfSipHash } from './half-siphash.ts'

const NAME_WORDS = 5
const SLOT_WORDS: number = NAME_WORDS + 1
const SLOT_BYTES = 4 * SLOT_WORDS
const LOAD_MAX = 0.7
const CAPACITY_MIN = 1024
/** Slots that a census reads at a time: their rows may all be written to a file then. */
const CENSUS_SLOTS = 512
/** Below this load the table shrinks. */
const LOAD_MIN = 0.15
/** The last expiry that a slot can hold, in the year 2106. An entry that expires later is never swept. */
const EXPIRY_MAX: number = 2 ** 32 - 1

/** Length of the random seed that keys the hash. Knowing it lets an attacker make lookups slow, and nothing worse. */
export const TABLE_SEED_BYTES = 8

/** Value of a hex digit by its character code; 0xff for any other character. */
const HEX_DIGITS: Uint8Array = new Uint8Array(128).fill(0xff)
for (let digit = 0; digit < 16; digit += 1) HEX_DIGITS[digit.toString(16).charCodeAt(0)] = digit

export interface RevocationTableOptions {
  /** 8 secret bytes. */
  readonly seed: Uint8Array
  /** Entries to reserve space for. Growing later doubles the table and rehashes it: 0.1 s for a million entries. */
  readonly expected?: number
}

/** The whole content of a table, to store it and to load it in another process. */
export interface TableImage {
  readonly seed: Uint8Array
  /** In the order of their indexes, from 1. */
  readonly kids: readonly string[]
  readonly size: number
  readonly slots: Uint32Array
}

export class RevocationTable {
  readonly #seed: Uint8Array
  readonly #key0: number
  readonly #key1: number
  /** Index of each key, from 1. A slot whose first word is 0 is free. */
  readonly #kids = new Map<Kid, number>()
  /** The keys by index - 1. */
  readonly #names: Kid[] = []
  /** The entry that is being looked up, kept here so that a lookup allocates nothing. */
  readonly #probe = new Uint32Array(SLOT_WORDS)
  #slots: Uint32Array
  #capacity: number
  #size = 0
  /** During a census: 1 for each slot whose entry was confirmed. It becomes undefined if entries move. */
  #confirmed: Uint8Array | undefined
  /** Counts removals, because a removal can move an entry to slots that an iteration has already passed. */
  #moves = 0

  constructor(options: RevocationTableOptions) {
    assert(options.seed.length === TABLE_SEED_BYTES, 'the seed of a revocation table has 8 bytes')
    const seed = Buffer.from(options.seed)
    this.#seed = seed
    this.#key0 = seed.readUInt32LE(0)
    this.#key1 = seed.readUInt32LE(4)
    this.#capacity = capacityFor(options.expected ?? 0)
    this.#slots = new Uint32Array(this.#capacity * SLOT_WORDS)
  }

  /** Undefined if the image is not that of a table. The slots are used as they are, not copied. */
  static fromImage({ seed, kids, size, slots }: TableImage): RevocationTable | undefined {
    const capacity = slots.length / SLOT_WORDS
    const fits = capacity >= CAPACITY_MIN && Number.isInteger(Math.log2(capacity)) && size <= capacity * LOAD_MAX
    if (!fits || seed.length !== TABLE_SEED_BYTES || countTaken(slots, kids.length) !== size) return undefined
    const table = new RevocationTable({ seed })
    for (const kid of kids) table.#indexOf(kid as Kid)
    table.#slots = slots
    table.#capacity = capacity
    table.#size = size
    return table
  }

  /** A copy of the present content. */
  image(): TableImage {
    return { seed: this.#seed, kids: [...this.#names], size: this.#size, slots: this.#slots.slice() }
  }

  /**
   * Iterates over the entries. It yields every entry that stays in the table meanwhile, and may yield one twice. The table is
   * not copied, because that would block the node for long; the iteration restarts if entries have moved.
   */
  *rows(): Generator<TokenRevocation> {
    const slots = this.#slots
    for (let at = 0, moves = this.#moves; at < slots.length; at += SLOT_WORDS) {
      if (moves !== this.#moves && slots === this.#slots) [at, moves] = [0, this.#moves]
      const row = this.#rowAt(slots, at)
      if (row !== undefined) yield row
    }
  }

  #rowAt(slots: Uint32Array, at: number): TokenRevocation | undefined {
    const kid = this.#names[(slots[at] ?? 0) - 1]
    if (kid === undefined) return undefined
    const nonce = [1, 2, 3, 4].map((word) => (slots[at + word] ?? 0).toString(16).padStart(8, '0')).join('')
    return { kind: 'token', seq: 1, kid, nonce, expiresAt: slots[at + NAME_WORDS] ?? 0 }
  }

  get size(): number {
    return this.#size
  }

  /** Memory of the slots, in bytes. */
  get bytes(): number {
    return this.#capacity * SLOT_BYTES
  }

  /** True if the entry is new. `expiresAt` in unix seconds, 0 for never; if an entry is added again, the later expiry wins. */
  add(kid: Kid, nonce: Nonce, expiresAt: number = 0): boolean {
    if (this.#size + 1 > this.#capacity * LOAD_MAX) this.#rebuild(2 * this.#capacity)
    this.#setProbe(this.#indexOf(kid), nonce)
    const at = this.#find()
    const expiry = expiresAt > EXPIRY_MAX ? 0 : expiresAt
    this.#confirm(at)
    if (this.#slots[at] !== 0) {
      this.#slots[at + NAME_WORDS] = later(this.#slots[at + NAME_WORDS] ?? 0, expiry)
      return false
    }
    this.#probe[NAME_WORDS] = expiry
    this.#slots.set(this.#probe, at)
    this.#size += 1
    return true
  }

  /** Removes an entry whose transaction was undone, or which is outlived. True if the entry was there. */
  remove(kid: Kid, nonce: Nonce): boolean {
    if (!this.has(kid, nonce)) return false
    this.#removeAt(this.#find() / SLOT_WORDS)
    return true
  }

  /**
   * Removes entries that expire before a time, unix seconds, in a limited number of slots from `from` on. Returns the slot to
   * continue from; undefined at the end. An entry that moves across the end of the table may be missed until the next sweep.
   */
  sweep(from: number, expiredBefore: number): number | undefined {
    const end = Math.min(from + SWEEP_SLOTS_MAX, this.#capacity)
    for (let slot = from; slot < end; slot += 1) {
      while (this.#isExpired(slot, expiredBefore)) this.#removeAt(slot)
    }
    return end < this.#capacity ? end : undefined
  }

  /** Begins a census: entries that are confirmed or added from now on are marked. */
  beginCensus(): void {
    this.#confirmed = new Uint8Array(this.#capacity)
  }

  /** True if the entry is here. The census then counts it as confirmed. */
  confirm(kid: Kid, nonce: Nonce): boolean {
    if (!this.has(kid, nonce)) return false
    this.#confirm(this.#find())
    return true
  }

  /** True unless entries have moved since the census began. It must then begin again. */
  get isCensusWhole(): boolean {
    return this.#confirmed !== undefined
  }

  /** The unconfirmed entries that do not expire before a time, a limited number of slots at a time. It ends if entries move. */
  *unconfirmed(expiredBefore: number): Generator<readonly TokenRevocation[]> {
    for (let from = 0; from < this.#capacity && this.#confirmed !== undefined; from += CENSUS_SLOTS) {
      const rows: TokenRevocation[] = []
      for (let slot = from; slot < Math.min(from + CENSUS_SLOTS, this.#capacity); slot += 1) {
        if (this.#confirmed[slot] === 1 || this.#isExpired(slot, expiredBefore)) continue
        const row = this.#rowAt(this.#slots, slot * SLOT_WORDS)
        if (row !== undefined) rows.push(row)
      }
      yield rows
    }
  }

  endCensus(): void {
    this.#confirmed = undefined
  }

  /** Frees memory if most of the table is empty. */
  shrink(): void {
    const wanted = capacityFor(2 * this.#size)
    if (this.#size < this.#capacity * LOAD_MIN && wanted < this.#capacity) this.#rebuild(wanted)
  }

  #isExpired(slot: number, expiredBefore: number): boolean {
    const at = slot * SLOT_WORDS
    const expiry = this.#slots[at + NAME_WORDS] ?? 0
    return this.#slots[at] !== 0 && expiry !== 0 && expiry < expiredBefore
  }

  /**
   * Removes an entry and moves later entries of the same run into the gap, because a lookup stops at a free slot (Knuth, The
   * Art of Computer Programming, section 6.4, algorithm R).
   */
  #removeAt(removed: number): void {
    this.#confirmed = undefined
    this.#moves += 1
    let gap = removed
    const mask = this.#capacity - 1
    for (let slot = (gap + 1) & mask; this.#slots[slot * SLOT_WORDS] !== 0; slot = (slot + 1) & mask) {
      const home = this.#homeOf(slot)
      // An entry stays if its home slot lies after the gap, because a lookup for it never passes the gap.
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      this.#slots.copyWithin(gap * SLOT_WORDS, slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS)
      gap = slot
    }
    this.#slots.fill(0, gap * SLOT_WORDS, (gap + 1) * SLOT_WORDS)
    this.#size -= 1
  }

  has(kid: Kid, nonce: Nonce): boolean {
    const index = this.#kids.get(kid)
    if (index === undefined) return false
    this.#setProbe(index, nonce)
    return this.#slots[this.#find()] !== 0
  }

  #indexOf(kid: Kid): number {
    const known = this.#kids.get(kid)
    if (known !== undefined) return known
    this.#kids.set(kid, this.#names.push(kid))
    return this.#names.length
  }

  #setProbe(index: number, nonce: Nonce): void {
    const probe = this.#probe
    probe[0] = index
    for (let word = 0; word < 4; word += 1) probe[word + 1] = hexWord(nonce, word * 8)
  }

  /** Offset of the slot that holds the probed entry, or of the free slot where it belongs. */
  #find(): number {
    const slots = this.#slots
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0] = this.#probe
    const mask = this.#capacity - 1
    let slot = halfSipHash(this.#key0, this.#key1, w0, w1, w2, w3, w4) & mask
    for (;;) {
      const at = slot * SLOT_WORDS
      if (slots[at] === 0) return at
      // The last word of a nonce is random, so it is compared first and nearly always decides.
      const same = slots[at + 4] === w4 && slots[at + 3] === w3 && slots[at + 2] === w2
      if (same && slots[at + 1] === w1 && slots[at] === w0) return at
      slot = (slot + 1) & mask
    }
  }

  /** The slot in which the entry of a slot would be if every slot were free. */
  #homeOf(slot: number): number {
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0, w4 = 0] = this.#slots.subarray(slot * SLOT_WORDS, (slot + 1) * SLOT_WORDS)
    return halfSipHash(this.#key0, this.#key1, w0, w1, w2, w3, w4) & (this.#capacity - 1)
  }

  #confirm(at: number): void {
    if (this.#confirmed !== undefined) this.#confirmed[at / SLOT_WORDS] = 1
  }

  #rebuild(capacity: number): void {
    this.#confirmed = undefined
    const old = this.#slots
    this.#capacity = capacity
    this.#slots = new Uint32Array(this.#capacity * SLOT_WORDS)
    for (let at = 0; at < old.length; at += SLOT_WORDS) {
      if (old[at] === 0) continue
      this.#probe.set(old.subarray(at, at + SLOT_WORDS))
      this.#slots.set(this.#probe, this.#find())
    }
  }
}

/** Number of taken slots; undefined if a slot names a key that does not exist. A wrong count could make lookups endless. */
function countTaken(slots: Uint32Array, keys: number): number | undefined {
  let taken = 0
  for (let at = 0; at < slots.length; at += SLOT_WORDS) {
    const index = slots[at] ?? 0
    if (index > keys) return undefined
    if (index !== 0) taken += 1
  }
  return taken
}

/** The later of two expiries, where 0 means never. */
function later(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b)
}

function capacityFor(expected: number): number {
  let capacity = CAPACITY_MIN
  while (expected > capacity * LOAD_MAX) capacity *= 2
  return capacity
}

/** Eight hex digits as a word. Not `parseInt` of a slice, because that costs four times as much. */
function hexWord(text: string, at: number): number {
  let word = 0
  let seen = 0
  for (let i = at; i < at + 8; i += 1) {
    const digit = HEX_DIGITS[text.charCodeAt(i)] ?? 0xff
    seen |= digit
    word = (word << 4) | digit
  }
  assert(seen < 16, 'a nonce is 32 hex digits')
  return word >>> 0
}
