/** Macaroons of every shape that can be written, and damaged encodings of them. */
import fc from 'fast-check'
import type { Caveat, Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'

const bytes = (size: object): fc.Arbitrary<Uint8Array> => fc.uint8Array(size)
/** A byte order mark in front is a character like any other, and decoders like to drop it. */
const location = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 5 }).map((text) => `\ufeff${text}`) },
)

const firstParty: fc.Arbitrary<Caveat> = bytes({ maxLength: 200 }).map((cid) => ({ cid }))
const thirdParty: fc.Arbitrary<Caveat> = fc
  .tuple(bytes({ maxLength: 40 }), bytes({ minLength: 72, maxLength: 72 }), location)
  .map(([cid, vid, where]) => (where === '' ? { cid, vid } : { cid, vid, location: where }))

export const macaroons: fc.Arbitrary<Macaroon> = fc.record({
  location,
  identifier: bytes({ maxLength: 200 }),
  caveats: fc.array(fc.oneof(firstParty, thirdParty), { maxLength: 6 }),
  signature: bytes({ minLength: 32, maxLength: 32 }),
})

type Edit = readonly ['set' | 'insert' | 'delete' | 'cut', number, number]

const editsOf = (meaningful: readonly number[]): fc.Arbitrary<readonly Edit[]> =>
  fc.array(
    fc.tuple(
      fc.constantFrom('set', 'insert', 'delete', 'cut'),
      fc.double({ min: 0, max: 1, noNaN: true }),
      // Values that mean something to the format come often, so that damage gets past the first field.
      fc.oneof(fc.constantFrom(...meaningful), fc.nat(255)),
    ),
    { maxLength: 3 },
  )

function applied(encoding: Uint8Array, [kind, where, value]: Edit): Uint8Array {
  const list = Array.from(encoding)
  const at = Math.floor(where * list.length)
  if (kind === 'set') list.splice(at, 1, value)
  else if (kind === 'insert') list.splice(at, 0, value)
  else if (kind === 'delete') list.splice(at, 1)
  else list.length = at
  return Uint8Array.from(list)
}

/** Encodings with up to three edits, and noise. Some are still well-formed. */
export function damaged(
  encode: (macaroon: Macaroon) => Uint8Array,
  meaningful: readonly number[],
): fc.Arbitrary<Uint8Array> {
  const edited = fc.tuple(macaroons, editsOf(meaningful)).map(([m, list]) => list.reduce(applied, encode(m)))
  return fc.oneof({ weight: 9, arbitrary: edited }, { weight: 1, arbitrary: bytes({ maxLength: 300 }) })
}

export const damagedEncodings: fc.Arbitrary<Uint8Array> = damaged(
  encodeV2,
  [0, 1, 2, 3, 4, 6, 32, 72, 0x7f, 0x80, 0x81, 0xff],
)
