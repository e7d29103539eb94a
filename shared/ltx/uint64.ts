/** Unsigned 64-bit numbers in network order, as JavaScript numbers: exact up to 2^53, and quicker than a bigint. */

const TWO_TO_32 = 2 ** 32

/** `value` is a safe integer, not negative. */
export function writeUint64(out: Buffer, value: number, at: number): number {
  out.writeUInt32BE(Math.floor(value / TWO_TO_32), at)
  return out.writeUInt32BE(value % TWO_TO_32, at + 4)
}

/** Above 2^53 the result is no safe integer any more, which the caller has to refuse. */
export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * TWO_TO_32 + bytes.readUInt32BE(at + 4)
}
