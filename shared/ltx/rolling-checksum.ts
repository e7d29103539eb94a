/**
 * The rolling checksum: 64 bits over every byte of a database. After a transaction it is updated at the cost of the pages that
 * the transaction wrote. A page checksum is LTX's: bit 63 and the CRC-64 of page number and page. The database checksum is bit
 * 63 and the XOR of all page checksums, each scattered first, without the lock page.
 *
 * LTX XORs them without scattering. Both steps are then linear, and two pages exchanged by a disk, or one change made to two
 * pages at the same offset, cancel out. Ours is in bytes that LTX leaves to the writer, so it can avoid that. It finds damage
 * and divergence, and stops no attacker.
 */
import { MacaroondError, assert } from '../errors.ts'
import type { Checksum } from '../ids.ts'
import { Crc64, type U64, u64ToBigint } from './crc64.ts'
import { type DatabasePage, isPageSize, lockPage } from './database-pages.ts'

/** Bit 63, so that no checksum is ever zero: zero means "none" in the files. */
export const CHECKSUM_FLAG: bigint = 1n << 63n
/** The checksum of a database without pages, and so the pre-apply checksum of a first segment and of a snapshot. */
export const EMPTY_CHECKSUM: Checksum = CHECKSUM_FLAG as Checksum

const CHECKSUM_FLAG_HIGH = 0x8000_0000
const CAPACITY_MIN = 256
/** The first 12 bytes of the fractional part of pi. */
const ROUND_KEYS = [0x243f6a88, 0x85a308d3, 0x13198a2e] as const

/** The change that a segment makes to a `PageChecksums`; `preview` computes it, `apply` carries it out. */
export interface ChecksumChange {
  /** Checksum of the whole database after the change. */
  readonly checksum: Checksum
  /** Size of the database in pages after the change. */
  readonly commit: number
  readonly pgnos: Uint32Array
  readonly hi: Uint32Array
  readonly lo: Uint32Array
  /** Version of the state it was computed from. */
  readonly version: number
}

/** The checksum of one page. */
export function pageChecksum(pgno: number, page: Uint8Array): Checksum {
  return (CHECKSUM_FLAG | new Crc64().updateUint32(pgno).update(page).value) as Checksum
}

/**
 * The scattered checksum of every page of a database (8 bytes a page, without bit 63) and their XOR. Every page from 1 to
 * `pageCount` is known, except the lock page, which counts as zero.
 */
export class PageChecksums {
  readonly pageSize: number
  readonly #lockPage: number
  readonly #page = new Crc64()
  readonly #crc = new Crc64()
  #hi = new Uint32Array(CAPACITY_MIN)
  #lo = new Uint32Array(CAPACITY_MIN)
  #pageCount = 0
  #hashHi = 0
  #hashLo = 0
  #xorHi = 0
  #xorLo = 0
  #version = 0

  constructor(pageSize: number) {
    assert(isPageSize(pageSize), 'a page size of SQLite')
    this.pageSize = pageSize
    this.#lockPage = lockPage(pageSize)
  }

  get pageCount(): number {
    return this.#pageCount
  }

  get checksum(): Checksum {
    return flagged(this.#xorHi, this.#xorLo)
  }

  /** Records a written page. To read a whole file, give every page in order; the lock page may be left out. */
  set(pgno: number, page: Uint8Array): void {
    assert(page.length === this.pageSize, 'a whole page')
    this.setSummed(pgno, this.#page.reset().update(page))
  }

  /** Like `set`, with the known CRC-64 of the page. */
  setSummed(pgno: number, crc: U64): void {
    const next = this.#pageCount + 1
    assert(pgno >= 1 && pgno <= (next === this.#lockPage ? next + 1 : next), 'pages come without gaps')
    this.#version += 1
    if (pgno === this.#lockPage) return this.#store(pgno, 0, 0)
    this.#hash(pgno, crc)
    this.#store(pgno, this.#hashHi, this.#hashLo)
  }

  /** Shortens the database to `pageCount` pages. */
  truncate(pageCount: number): void {
    assert(pageCount >= 0 && pageCount <= this.#pageCount, 'truncating does not grow a database')
    this.#version += 1
    for (let pgno = pageCount + 1; pgno <= this.#pageCount; pgno += 1) this.#store(pgno, 0, 0)
    this.#pageCount = pageCount
  }

  /**
   * Computes the checksum after `pages` (ascending, none beyond `commit`) are written and the database has `commit` pages.
   * Changes nothing. Throws segment_mismatch if the database would grow by pages that are not among them.
   */
  preview(pages: readonly DatabasePage[], commit: number): ChecksumChange {
    this.#requireGrowth(pages, commit)
    const pgnos = new Uint32Array(pages.length)
    const hi = new Uint32Array(pages.length)
    const lo = new Uint32Array(pages.length)
    let [xorHi, xorLo] = this.#withoutPagesAfter(commit)
    for (const [index, { pgno, data }] of pages.entries()) {
      this.#hash(pgno, this.#page.reset().update(data))
      pgnos[index] = pgno
      hi[index] = this.#hashHi
      lo[index] = this.#hashLo
      const known = pgno <= this.#pageCount
      xorHi ^= this.#hashHi ^ (known ? this.#hi[pgno]! : 0)
      xorLo ^= this.#hashLo ^ (known ? this.#lo[pgno]! : 0)
    }
    return { checksum: flagged(xorHi, xorLo), commit, pgnos, hi, lo, version: this.#version }
  }

  /** Carries out a change from `preview`. Asserts that nothing changed in between. */
  apply(change: ChecksumChange): Checksum {
    assert(change.version === this.#version, 'a change is applied to the state it was computed from')
    if (change.commit < this.#pageCount) this.truncate(change.commit)
    for (const [index, pgno] of change.pgnos.entries()) this.#store(pgno, change.hi[index]!, change.lo[index]!)
    this.#pageCount = change.commit
    this.#version += 1
    assert(this.checksum === change.checksum, 'the checksum is the one that was previewed')
    return change.checksum
  }

  /**
   * Scatters a page checksum by a Feistel network. It is a bijection, so different sums stay different, and it is not linear,
   * so two differences do not cancel. The result is in `#hashHi` and `#hashLo`, because an object a page would cost more.
   */
  #hash(pgno: number, page: U64): void {
    this.#crc.reset().updateUint32(pgno).append(page, this.pageSize)
    let { hi, lo } = this.#crc
    lo ^= scramble(hi, ROUND_KEYS[0])
    hi ^= scramble(lo, ROUND_KEYS[1])
    lo ^= scramble(hi, ROUND_KEYS[2])
    this.#hashHi = hi >>> 0
    this.#hashLo = lo >>> 0
  }

  /** Replaces the sum of one page. The old sum of a page beyond the end is zero. */
  #store(pgno: number, hi: number, lo: number): void {
    if (pgno >= this.#hi.length) this.#reserve(pgno)
    this.#xorHi ^= this.#hi[pgno]! ^ hi
    this.#xorLo ^= this.#lo[pgno]! ^ lo
    this.#hi[pgno] = hi
    this.#lo[pgno] = lo
    this.#pageCount = Math.max(this.#pageCount, pgno)
  }

  #reserve(pgno: number): void {
    const capacity = Math.max(pgno + 1, this.#hi.length * 2)
    const [hi, lo] = [new Uint32Array(capacity), new Uint32Array(capacity)]
    hi.set(this.#hi)
    lo.set(this.#lo)
    this.#hi = hi
    this.#lo = lo
  }

  #withoutPagesAfter(commit: number): [hi: number, lo: number] {
    let [hi, lo] = [this.#xorHi, this.#xorLo]
    for (let pgno = commit + 1; pgno <= this.#pageCount; pgno += 1) {
      hi ^= this.#hi[pgno]!
      lo ^= this.#lo[pgno]!
    }
    return [hi, lo]
  }

  /** Throws segment_mismatch if new pages are missing. It also bounds memory: the tables grow only by pages that were given. */
  #requireGrowth(pages: readonly DatabasePage[], commit: number): void {
    let last = 0
    let fresh = 0
    for (const { pgno, data } of pages) {
      assert(pgno > last && pgno <= commit && pgno !== this.#lockPage, 'pages ascend, inside the database')
      assert(data.length === this.pageSize, 'a whole page')
      if (pgno > this.#pageCount) fresh += 1
      last = pgno
    }
    const skipsLockPage = this.#lockPage > this.#pageCount && this.#lockPage <= commit
    const missing = commit - this.#pageCount - fresh - (skipsLockPage ? 1 : 0)
    if (missing <= 0) return
    throw new MacaroondError(
      'segment_mismatch',
      `the segment grows the database from ${this.#pageCount} to ${commit} pages, but ${missing} of them are missing`,
      { hint: 'the database and the segment do not belong together: resynchronise from a snapshot' },
    )
  }
}

/** A well-mixed function of 32 bits: the multiply-xorshift steps of MurmurHash3's finalizer. */
function scramble(word: number, key: number): number {
  let mixed = Math.imul(word ^ key, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

function flagged(hi: number, lo: number): Checksum {
  return u64ToBigint({ hi: (hi | CHECKSUM_FLAG_HIGH) >>> 0, lo: lo >>> 0 }) as Checksum
}
