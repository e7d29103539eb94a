/** The cases that every holder must answer the same: all vectors, tokens of this authority, and damaged texts. */
import { readdirSync, readFileSync } from 'node:fs'
import { systemEntropy } from '../../../shared/clock.ts'
import { kid, nonce } from '../../../shared/ids.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { bindDischarge, bindDischarges } from '../../../shared/macaroon/bind.ts'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { contentsOf } from '../../../shared/macaroon/contents.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { decodeTokenText, encodeText, encodeTokenText, readTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat } from '../../../shared/macaroon/third-party.ts'
import type { Case, CaveatCase, Holder } from './case.ts'

/** The same functions as nodes have them: on `node:crypto`, `node:zlib` and Buffer. */
export const NATIVE: Holder = {
  attenuate,
  bindDischarge,
  bindDischarges,
  decodeBundle,
  decodeTokenText,
  encodeBundle,
  encodeText,
  encodeTokenText,
  inspect: (text) => contentsOf(decodeBundle(text)),
  readTokenText,
}

interface Vector {
  readonly name: string
  readonly key_utf8: string
  readonly location: string
  readonly identifier?: string
  readonly identifier_hex?: string
  readonly caveats?: readonly { readonly cid?: string; readonly cid_hex?: string }[]
  readonly v2_base64url_nopad?: string
}

const folder = new URL('../../vectors/', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8')
const vectorsIn = <T>(name: string): readonly T[] => (JSON.parse(read(name)) as { vectors: readonly T[] }).vectors

export interface Expected {
  readonly name: string
  readonly act: Case
  /** A part of the answer. */
  readonly answer: object
}

/** Each vector without its caveats, and the text that attenuating it must give. */
export function attenuatedVectors(): readonly Expected[] {
  return vectorsIn<Vector>('first_party.json')
    .filter(({ v2_base64url_nopad: v2 }) => v2 !== undefined)
    .map(({ name, key_utf8, location, identifier, identifier_hex, caveats = [], v2_base64url_nopad: v2 }) => {
      const bytes = identifier ?? Buffer.from(identifier_hex ?? '', 'hex')
      const root = createMacaroon({ secret: Buffer.from(key_utf8), identifier: bytes, location })
      const added = caveats.map(({ cid, cid_hex }): CaveatCase => cid ?? { hex: cid_hex ?? '' })
      return { name, act: { act: 'attenuate', text: encodeText(root, 'v2'), caveats: added }, answer: { v2 } }
    })
}

type BoundVector = Readonly<Record<'root' | 'discharge_unbound' | 'discharge_bound', Vector | undefined>> & {
  readonly name: string
}

/** Each vector with a discharge before and after it was bound. */
export function boundVectors(): readonly Expected[] {
  const text = (vector: Vector | undefined): string => vector?.v2_base64url_nopad ?? ''
  return vectorsIn<BoundVector>('third_party.json')
    .filter(({ discharge_unbound: unbound, discharge_bound: bound }) => text(unbound) !== '' && text(bound) !== '')
    .map(({ name, root, discharge_unbound: unbound, discharge_bound: bound }) => ({
      name,
      act: { act: 'bind', root: text(root), discharges: [text(unbound)] },
      answer: { bound: [text(bound)] },
    }))
}

/** Every string in a JSON value, and every line of the files of libmacaroons: macaroons, and texts that are none. */
function textsOfVectors(): readonly string[] {
  const strings = (value: unknown): readonly string[] => {
    if (typeof value === 'string') return [value]
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : []
  }
  const files = readdirSync(new URL('upstream/libmacaroons/', folder))
  const lines = files.flatMap((name) => read(`upstream/libmacaroons/${name}`).split('\n'))
  const words = lines.flatMap((line) => line.split(' '))
  const unwrapped = words.flatMap((word) => [word.replace(/=+$/, ''), Buffer.from(word, 'base64').toString('latin1')])
  const ofJson = ['first_party.json', 'third_party.json'].flatMap((name) => strings(JSON.parse(read(name))))
  return [...new Set([...ofJson, ...words, ...unwrapped])]
}

const KID = kid('00000000000000a1')
const NONCE = nonce('0198c0ffee007abc8def0123456789ab')

/** A token of this authority with everything that `inspect` shows, and a bundle of it. */
function ownTokens(): readonly string[] {
  const derivedKey = new Uint8Array(32).fill(7)
  const made = (expiresAt: number, ancestors: number): Macaroon => {
    const from = Array.from({ length: ancestors }, () => ({ kid: KID, nonce: NONCE }))
    const named = { kid: KID, nonce: NONCE, expiresAt, ancestors: from, subject: 'älice' }
    return createMacaroon({ derivedKey, identifier: encodeIdentifier(named), location: 'here' })
  }
  const login = { caveatKey: derivedKey, ticket: 'a ticket', location: 'https://login.example' }
  const full = addThirdPartyCaveat(attenuate(made(1_800_000_000, 4), ['op = read', 'π = 3']), login, systemEntropy)
  const binary = attenuate(full, [Uint8Array.of(0xff, 0x00)])
  const times = ['time < 1700000000', 'time-before 2023-01-01T00:00:00Z', 'time >= 5', 'time? < 5', 'time-before now']
  const timed = attenuate(made(1_800_000_000, 0), times)
  const later = attenuate(made(0, 0), ['time < 2100-01-01T00:00:00.5Z'])
  return [
    encodeTokenText(made(0, 0)),
    encodeTokenText(made(Number.MAX_SAFE_INTEGER, 1)),
    encodeTokenText(binary),
    encodeTokenText(timed),
    encodeTokenText(addThirdPartyCaveat(later, { ...login, location: '' }, systemEntropy)),
    encodeBundle(bindDischarges(binary, [made(0, 0)])),
    encodeBundle(bindDischarges(later, [timed])),
  ]
}

/** Cut off anywhere, with one character changed with and without a checksum, and in the forms in which people paste tokens. */
function damagedTexts(): readonly string[] {
  const [text = ''] = ownTokens()
  const cut = Array.from({ length: text.length }, (_, length) => text.slice(0, length))
  const changed = Array.from({ length: text.length }, (_, at) => `${text.slice(0, at)}é${text.slice(at + 1)}`)
  const bare = text.slice(5, -9)
  const swapped = Array.from(
    bare,
    (digit, at) => `${bare.slice(0, at)}${digit === 'A' ? '_' : 'A'}${bare.slice(at + 1)}`,
  )
  const pasted = [
    `Bearer ${text}`,
    `${text} `,
    `${text}=`,
    `"${text}"`,
    `${text}~`,
    `~${text}`,
    `mcn2_${text.slice(5)}`,
  ]
  const others = [
    '',
    '{',
    '{"v":2}',
    '{"v":2,"v":2}',
    'eyJ.eyJ.x',
    '\ud800',
    'mcn1_\ud800.00000000',
    'x'.repeat(300_000),
  ]
  return [...cut, ...changed, ...swapped, ...pasted, ...others]
}

/** About a thousand cases. */
export function allCases(): readonly Case[] {
  const texts = [...textsOfVectors(), ...ownTokens(), ...damagedTexts()]
  const inspected = [...ownTokens(), ...damagedTexts()]
  return [
    ...texts.map((text): Case => ({ act: 'read', text })),
    ...inspected.map((text): Case => ({ act: 'inspect', text })),
    ...[...attenuatedVectors(), ...boundVectors()].map(({ act }) => act),
    { act: 'attenuate', text: ownTokens()[0] ?? '', caveats: ['\ud800', 'op = read'] },
    { act: 'attenuate', text: ownTokens()[0] ?? '', caveats: Array.from({ length: 101 }, () => 'op = read') },
  ]
}
