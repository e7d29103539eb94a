/** Cuts an input into pieces at places that only the input decides, so that it is cut alike whenever it is tried again. */
import { crc32 } from 'node:zlib'
import { Random } from './random.ts'

const PIECES_MAX = 2_000

export function piecesOf(input: Buffer): readonly Buffer[] {
  const random = new Random(crc32(input))
  const longest = Math.max(random.pick([1, 3, 17, 400, 20_000]), Math.ceil((input.length * 2) / PIECES_MAX))
  const pieces: Buffer[] = []
  for (let at = 0; at < input.length; at += pieces.at(-1)?.length ?? 0) {
    pieces.push(input.subarray(at, at + 1 + random.below(longest)))
  }
  return pieces
}
