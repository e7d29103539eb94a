/** Unsigned 64-bit integers in network order, as JavaScript numbers: exact up to 2^53, and faster than bigints. */

const TWO_TO_32 = 2 ** 32

/** Writes a safe, non-negative integer and returns the offset after it. */
export function writeUint64(out: Buffer, value: number, at: number): number {
  out.writeUInt32BE(Math.floor(value / TWO_TO_32), at)
  return out.writeUInt32BE(value % TWO_TO_32, at + 4)
}

/** Above 2^53 - 1 the result is not a safe integer; the caller must refuse it. */
export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4)
}
