/**
 * The WAL's checksum: a pair of 32-bit sums over pairs of 32-bit words, each seeded with the sums before it
 * (https://sqlite.org/fileformat2.html section 4.2). It is cumulative, so the checksum of a frame covers the whole log up to
 * it.
 */

/** Two sums as signed 32-bit numbers. JavaScript engines keep those unboxed, and the bits equal the unsigned ones. */
export interface RunningChecksum {
  s1: number
  s2: number
}

export const HOST_BIG_ENDIAN: boolean = new Uint8Array(new Uint32Array([1]).buffer)[3] === 1

/**
 * Adds `words[start..end)`, an even number of words. `bigEndian` is the byte order that the log's magic number names.
 * It works on an Int32Array, not through a DataView, for speed: about 0.6 us a page.
 */
export function extendChecksum(
  sum: RunningChecksum,
  words: Int32Array,
  start: number,
  end: number,
  bigEndian: boolean,
): void {
  if (bigEndian !== HOST_BIG_ENDIAN) return extendSwapped(sum, words, start, end)
  let { s1, s2 } = sum
  for (let index = start; index < end; index += 2) {
    s1 = (s1 + (words[index] as number) + s2) | 0
    s2 = (s2 + (words[index + 1] as number) + s1) | 0
  }
  sum.s1 = s1
  sum.s2 = s2
}

function extendSwapped(sum: RunningChecksum, words: Int32Array, start: number, end: number): void {
  let { s1, s2 } = sum
  for (let index = start; index < end; index += 2) {
    s1 = (s1 + swapped(words[index] as number) + s2) | 0
    s2 = (s2 + swapped(words[index + 1] as number) + s1) | 0
  }
  sum.s1 = s1
  sum.s2 = s2
}

function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
