/**
 * CRC-64/ISO (Go's `crc64.ISO`), the only checksum of LTX: reflected, start and final XOR all ones. It finds damage and stops
 * no attacker.
 *
 * The polynomial x^64 + x^4 + x^3 + x + 1 is sparse, so whole words need shifts instead of big tables. A reflected
 * register multiplies by x with a shift to the right, and x^64 is congruent to 1 + x + x^3 + x^4 = (1 + x)(1 + x^3),
 * hence x^128 to (1 + x^2)(1 + x^6): two shifts and XORs. The shifts push at most eight bits out at the low end, and one small
 * table reduces them. Two words in turn run as independent chains, which keeps the processor busy. The register is two 32-bit
 * halves, because arithmetic on bigints would cost more than the checksum of a page.
 */

/** An unsigned 64-bit number as two unsigned 32-bit halves. */
export interface U64 {
  readonly hi: number
  readonly lo: number
}

/** High half of 1 + x + x^3 + x^4 in reflected order, which is congruent to x^64. */
const POLYNOMIAL_HIGH = 0xd8000000
const STRIDE_BYTES = 16

/** XORed into the high half after the register's low bits were shifted out by 8, 64 or 128; the low half needs no carry. */
const CARRY_8: Int32Array = Int32Array.from({ length: 256 }, (_, bits) => carry(bits, 8))
const CARRY_64: Int32Array = CARRY_8.map(
  (_, bits) => carry(bits & 0b1, 1) ^ carry(bits & 0b111, 3) ^ carry(bits & 15, 4),
)
const CARRY_128: Int32Array = CARRY_8.map(
  (_, bits) => carry(bits & 0b11, 2) ^ carry(bits & 0b111111, 6) ^ carry(bits, 8),
)

/** Shifts the `count` low bits out one at a time; each set bit adds the polynomial. */
function carry(bits: number, count: number): number {
  let high = 0
  for (let bit = 0; bit < count; bit += 1) {
    high = ((bits >>> bit) & 1) === 0 ? high >>> 1 : (high >>> 1) ^ POLYNOMIAL_HIGH
  }
  return high
}

/** A running CRC-64/ISO. */
export class Crc64 {
  #hi = -1
  #lo = -1

  /** A register with one bit set, without the initial value. `tabulate` uses it to see how zeros change each bit. */
  static afterBit(bit: number): Crc64 {
    const crc = new Crc64()
    crc.#hi = bit < 32 ? 0 : 1 << (bit - 32)
    crc.#lo = bit < 32 ? 1 << bit : 0
    return crc
  }

  /** High half of the sum so far, unsigned. */
  get hi(): number {
    return ~this.#hi >>> 0
  }

  /** Low half of the sum so far, unsigned. */
  get lo(): number {
    return ~this.#lo >>> 0
  }

  get value(): bigint {
    return u64ToBigint(this)
  }

  reset(): this {
    this.#hi = -1
    this.#lo = -1
    return this
  }

  /** Adds `bytes[start, end)`. */
  update(bytes: Uint8Array, start = 0, end: number = bytes.length): this {
    const tail = end - ((end - start) % STRIDE_BYTES)
    if (tail > start) this.#strides(new DataView(bytes.buffer, bytes.byteOffset + start, tail - start))
    for (let at = tail; at < end; at += 1) this.#byte(bytes[at]!)
    return this
  }

  /** Adds a number as four bytes in network order, which is how page numbers are summed. */
  updateUint32(value: number): this {
    for (let shift = 24; shift >= 0; shift -= 8) this.#byte(value >>> shift)
    return this
  }

  /** Adds `length` bytes whose CRC is known. It needs one table a length, and is then much faster than `update`. */
  append({ hi, lo }: U64, length: number): this {
    const past = pastZeros(length)
    const [before, above] = [~this.#lo, ~this.#hi]
    this.#lo = ~(lo ^ moved(past.lo, before, above))
    this.#hi = ~(hi ^ moved(past.hi, before, above))
    return this
  }

  #byte(value: number): void {
    const hi = this.#hi
    const lo = this.#lo
    this.#lo = (lo >>> 8) | (hi << 24)
    this.#hi = (hi >>> 8) ^ CARRY_8[(lo ^ value) & 0xff]!
  }

  /** Adds one or more whole strides. A reflected CRC has the first byte lowest, so words are read as little endian. */
  #strides(view: DataView): void {
    const length = view.byteLength
    let hi = this.#hi ^ view.getInt32(4, true)
    let lo = this.#lo ^ view.getInt32(0, true)
    let nextHi = view.getInt32(12, true)
    let nextLo = view.getInt32(8, true)
    for (let at = STRIDE_BYTES; at < length; at += STRIDE_BYTES) {
      const high = hi ^ (hi >>> 2)
      const low = lo ^ (lo >>> 2) ^ (hi << 30)
      hi = high ^ (high >>> 6) ^ CARRY_128[lo & 0xff]! ^ view.getInt32(at + 4, true)
      lo = low ^ (low >>> 6) ^ (high << 26) ^ view.getInt32(at, true)
      const nextHigh = nextHi ^ (nextHi >>> 2)
      const nextLow = nextLo ^ (nextLo >>> 2) ^ (nextHi << 30)
      nextHi = nextHigh ^ (nextHigh >>> 6) ^ CARRY_128[nextLo & 0xff]! ^ view.getInt32(at + 12, true)
      nextLo = nextLow ^ (nextLow >>> 6) ^ (nextHigh << 26) ^ view.getInt32(at + 8, true)
    }
    this.#timesX64(hi, lo)
    this.#timesX64(this.#hi ^ nextHi, this.#lo ^ nextLo)
  }

  #timesX64(hi: number, lo: number): void {
    const high = hi ^ (hi >>> 1)
    const low = lo ^ (lo >>> 1) ^ (hi << 31)
    this.#hi = high ^ (high >>> 3) ^ CARRY_64[lo & 0xff]!
    this.#lo = low ^ (low >>> 3) ^ (high << 29)
  }
}

/**
 * The effect of appending a number of zero bytes to a CRC, which is linear. Each table has, for each of the eight bytes of the
 * CRC (lowest first) and each value of that byte, one half of the resulting CRC.
 */
interface PastZeros {
  readonly hi: Int32Array
  readonly lo: Int32Array
}

const BYTES = 8
const BYTE_VALUES = 256
const pastZerosOf = new Map<number, PastZeros>()

/**
 * The CRC of A followed by B is: CRC of A followed by zeros of B's length, XOR CRC of B. The map stays small: page sizes are
 * few.
 */
function pastZeros(length: number): PastZeros {
  const known = pastZerosOf.get(length)
  if (known !== undefined) return known
  const made = tabulate(new Uint8Array(length))
  pastZerosOf.set(length, made)
  return made
}

function tabulate(zeros: Uint8Array): PastZeros {
  const [hi, lo] = [new Int32Array(BYTES * BYTE_VALUES), new Int32Array(BYTES * BYTE_VALUES)]
  for (let bit = 0; bit < BYTES * 8; bit += 1) {
    const sum = Crc64.afterBit(bit).update(zeros)
    const [at, value] = [(bit >>> 3) * BYTE_VALUES, 1 << (bit & 7)]
    hi[at + value] = ~sum.hi
    lo[at + value] = ~sum.lo
    // The entries of all smaller values exist, because they consist of lower bits.
    for (let below = 1; below < value; below += 1) {
      hi[at + value + below] = hi[at + value]! ^ hi[at + below]!
      lo[at + value + below] = lo[at + value]! ^ lo[at + below]!
    }
  }
  return { hi, lo }
}

function moved(table: Int32Array, lo: number, hi: number): number {
  return (
    table[lo & 0xff]! ^
    table[0x100 | ((lo >>> 8) & 0xff)]! ^
    table[0x200 | ((lo >>> 16) & 0xff)]! ^
    table[0x300 | (lo >>> 24)]! ^
    table[0x400 | (hi & 0xff)]! ^
    table[0x500 | ((hi >>> 8) & 0xff)]! ^
    table[0x600 | ((hi >>> 16) & 0xff)]! ^
    table[0x700 | (hi >>> 24)]!
  )
}

/** CRC-64/ISO of all of `bytes`. */
export function crc64(bytes: Uint8Array): bigint {
  return new Crc64().update(bytes).value
}

export function u64ToBigint({ hi, lo }: U64): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo)
}
