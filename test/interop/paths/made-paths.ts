/** Paths below `/a/` that try to leave it: dots, slashes and what is taken for them, encoded again and again, wholly or in part. */
import fc from 'fast-check'

// oxfmt-ignore
const ATOMS = [
  '.', '..', '/', '/../', '\\', ';', ';x=1', '%', '?', '#', 'b', 'photos', ' ', '\t', '\0',
  '．', '／', '＼', '％', '‥', '․', '；', '\u200b', '\u00ad', '\ufeff', 'ä', '🙂', '%u002e', '%u2215',
]
/** Overlong and broken UTF-8, as bytes. */
const BYTES = [
  'c0ae',
  'c0af',
  'c19c',
  'e080ae',
  'e080af',
  'f08080ae',
  'f8808080af',
  'fc8080808080ae',
  'ae',
  'ff',
  'eda080',
]

const atom: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...ATOMS).map((text) => Buffer.from(text).toString('latin1')) },
  { weight: 1, arbitrary: fc.constantFrom(...BYTES).map((hex) => Buffer.from(hex, 'hex').toString('latin1')) },
)

/** A round of encoding takes the characters that its mask says, in upper or lower case. */
const round = fc.record({ mask: fc.nat(2 ** 30), upper: fc.boolean(), all: fc.boolean() })

/** Latin-1, one character a byte. */
export const madePath: fc.Arbitrary<string> = fc
  .record({ atoms: fc.array(atom, { minLength: 1, maxLength: 6 }), rounds: fc.array(round, { maxLength: 3 }) })
  .map(({ atoms, rounds }) => `/a/${rounds.reduce(encodedOnce, atoms.join(''))}`)

function encodedOnce(text: string, { mask, upper, all }: { mask: number; upper: boolean; all: boolean }): string {
  const encode = (char: string, at: number): string => {
    if (!all && ((mask >>> (at % 30)) & 1) === 0) return char
    const hex = char.charCodeAt(0).toString(16).padStart(2, '0')
    return `%${upper ? hex.toUpperCase() : hex}`
  }
  return text.split('').map(encode).join('')
}
