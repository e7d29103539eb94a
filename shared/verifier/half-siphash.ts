/**
 * HalfSipHash-2-4 with a 32-bit result over exactly five words, the keyed hash of the revocation table. Without the key an
 * attacker cannot choose nonces that collide in the table. The hash is not part of the cryptography of tokens.
 * Source: Aumasson and Bernstein, SipHash, 2012; the authors' reference code has the 32-bit variant and its test vectors.
 */
const INIT_V2 = 0x6c796765
const INIT_V3 = 0x74656462
const ROUNDS_WORD = 2
const ROUNDS_END = 4
/** The last block of a 20-byte message: its length in the top byte, and no remaining bytes. */
const LENGTH_BLOCK: number = 20 << 24

/** The hash as an unsigned 32-bit number. Words and key halves are little-endian 32-bit numbers, signed or unsigned. */
export function halfSipHash(
  key0: number,
  key1: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number,
  word4: number,
): number {
  let v0 = key0 | 0
  let v1 = key1 | 0
  let v2 = INIT_V2 ^ key0
  let v3 = INIT_V3 ^ key1
  // One loop over all rounds keeps the state in registers. `word` is mixed in before its rounds and again after them.
  for (let block = 0; block < 7; block += 1) {
    let word = LENGTH_BLOCK
    if (block === 0) word = word0
    else if (block === 1) word = word1
    else if (block === 2) word = word2
    else if (block === 3) word = word3
    else if (block === 4) word = word4
    const last = block === 6
    if (last) v2 ^= 0xff
    else v3 ^= word
    for (let rounds = last ? ROUNDS_END : ROUNDS_WORD; rounds > 0; rounds -= 1) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    if (!last) v0 ^= word
  }
  return (v1 ^ v3) >>> 0
}
