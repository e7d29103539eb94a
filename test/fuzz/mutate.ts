/** Mutates an input of the corpus: mostly a small change, now and then a large one. */
import { crc32 } from 'node:zlib'
import type { Random } from './random.ts'

/** What means something to one of the parsers. */
const WORDS: readonly Buffer[] = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  '\\',
  '\\u0069',
  '\\ud83d',
  '"i":"a"',
  '"i64":"YQ"',
  '"s64":',
  '"v":2',
  '"__proto__":',
  '"c":[',
  '~',
  'mcn1_',
  '.',
  '=',
  '==',
  '\0',
  '\n',
  ' ',
  '0000',
  'FFFF',
  '0009cid \n',
  'signature ',
  'location ',
  '\x80',
  '\x00\x00',
  '\xff\xff\xff\x7f',
  '\x06\x20',
  '..',
  '/',
  '%2e',
  '%2f',
  '%25',
  '%5c',
  '%00',
  '%c0%af',
  '\\',
  ';',
  '?',
  '#',
  '\t',
  '.%2e',
  ' in ',
  ' < ',
  ' = ',
  '?',
  '..',
  '99999999999999999',
  '::',
  '/128',
  '1e9',
  '-1',
  'Z',
  '+99:99',
  'ms',
  '\u202e',
  '\ufeff',
  'é',
  '&constructor;',
  '&#55296;',
  '<Key>',
  '</Key>',
  '<Key ',
  '<Size>-1</Size>',
  '999999999',
].map((word) => Buffer.from(word, 'latin1'))

/** Longer than any limit on what is read. */
const BYTES_MAX = 96 * 1024

export function mutate(input: Buffer, others: readonly Buffer[], random: Random): Buffer {
  let mutated = input
  for (let count = 1 + random.below(4); count > 0; count -= 1) mutated = once(mutated, others, random)
  return mutated.subarray(0, BYTES_MAX)
}

/** Bytes as text that gets past the frame: base64url, with the prefix and the right checksum every other time. */
export function reframed(bytes: Buffer, random: Random): string {
  const body = bytes.toString('base64url')
  return random.below(2) === 0 ? body : `mcn1_${body}.${crc32(body).toString(16).padStart(8, '0')}`
}

function once(input: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random.below(input.length + 1)
  const length = random.below(Math.min(input.length - at + 1, 40))
  const [before, middle, after] = [input.subarray(0, at), input.subarray(at, at + length), input.subarray(at + length)]
  switch (random.below(9)) {
    case 0:
      return Buffer.concat([before, random.bytes(length), after])
    case 1:
      return Buffer.concat([before, after])
    case 2:
      return Buffer.concat([before, middle, middle, after])
    case 3:
      return before
    case 4:
      return Buffer.concat([before, random.pick(others).subarray(random.below(20))])
    case 5:
      return flipped(input, at, random)
    case 6:
      return random.below(200) === 0 ? repeated(before, middle, after, random) : flipped(input, at, random)
    default:
      return Buffer.concat([before, random.pick(WORDS), random.below(2) === 0 ? after : Buffer.concat([middle, after])])
  }
}

function flipped(input: Buffer, at: number, random: Random): Buffer {
  const copy = Buffer.from(input)
  const byte = copy[at]
  if (byte !== undefined) copy[at] = byte ^ (1 << random.below(8))
  return copy
}

/** For whatever costs more than its length. */
function repeated(before: Buffer, middle: Buffer, after: Buffer, random: Random): Buffer {
  const unit = middle.length === 0 ? random.pick(WORDS) : middle
  return Buffer.concat([before, Buffer.alloc(1 + random.below(BYTES_MAX), unit), after])
}
