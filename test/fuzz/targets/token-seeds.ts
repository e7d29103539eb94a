/** Every macaroon of the vectors in every form, caveats of every kind, and paths. */
import { readdirSync, readFileSync } from 'node:fs'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { kid, nonce } from '../../../shared/ids.ts'
import { encodeMacaroon, type MACAROON_FORMATS } from '../../../shared/macaroon/format.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { x25519PublicKey } from '../../../shared/crypto.ts'
import { decodeTokenText, encodeText } from '../../../shared/macaroon/text.ts'
import { sealTicket } from '../../../shared/macaroon/ticket.ts'
import { ENTROPY, TICKET } from '../fixed.ts'

const folder = new URL('../../vectors/', import.meta.url)

/** Every string in a JSON value that is a macaroon. */
function macaroonsIn(value: unknown): readonly Macaroon[] {
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(macaroonsIn)
  if (typeof value !== 'string') return []
  try {
    return [decodeTokenText(value)]
  } catch {
    return []
  }
}

const PREDICATES = [
  'time < 2026-12-01T00:00:00Z',
  'time >= 1700000000',
  'time < 2026-12-01T00:00:00.123+05:30',
  'time-before 2026-12-01T00:00:00Z',
  'op = read',
  'op in read,write',
  'path prefix /a/',
  'path = /a/b',
  'path in /a,/b/c',
  'chunk in 100..500',
  'size <= 102400',
  'ip in 10.0.0.0/8,2001:db8::/32',
  'ip = ::ffff:10.0.0.1',
  'org = acme',
  'subject = alice',
  'region in fra,sin',
  'peer = 12D3KooW',
  'staleness <= 500ms',
  'app? = web',
  'note = for bob',
  'tenant = acme',
  'presented = 00112233445566ff.019a00000000700080000000000000aa',
  'unrevoked = 00112233445566ff.019a00000000700080000000000000aa',
  '__proto__ = x',
  'x in 1..2,7',
  `x in ${'1,'.repeat(255)}1`,
]

const CONDITIONS = ['may op=read', 'may op=read&op=list&app=my%20app', 'may path=/a/b&ip=10.0.0.1', 'may x=%E3%81%82']

const PATHS = [
  '/a/b',
  '/a/../b',
  '/a/..%2fb',
  '/a/%2e%2e/b',
  '/a/%252e%252e/b',
  '/a/.%2e/b',
  '/a/..;x/b',
  '/a/\\..\\b',
  '/a/%5c..%5cb',
  '/a/./b',
  '/a//b',
  '/a/b?x',
  '/a/b#x',
  '/a/%00',
  '/a/%c0%ae%c0%ae/b',
  '/a/\t../b',
  '/ab',
  '/a',
  '/a/%',
  '/a/é',
  '/a/%E3%81%82',
  '/a/..%00/b',
  '/a/...',
  '/a/%25%63%30%25%61%65./b',
  '/a/%25u002e./b',
  '/a/．．／b',
  '/a/.\u200b./b',
  '/a/100%2525',
]

function vectors(): readonly Macaroon[] {
  return ['first_party.json', 'third_party.json'].flatMap((name) =>
    macaroonsIn(JSON.parse(readFileSync(new URL(name, folder), 'utf8'))),
  )
}

function upstream(): readonly string[] {
  return readdirSync(new URL('upstream/libmacaroons/', folder)).flatMap((name) =>
    readFileSync(new URL(`upstream/libmacaroons/${name}`, folder), 'utf8').split(/\s+/),
  )
}

const texts = (): readonly string[] =>
  vectors().flatMap((macaroon) => (['v1', 'v2', 'v2j', 'text'] as const).map((form) => encodeText(macaroon, form)))

const encoded = (format: (typeof MACAROON_FORMATS)[number]) => (): readonly Buffer[] =>
  vectors().map((macaroon) => Buffer.from(encodeMacaroon(macaroon, format)))

const buffers = (all: readonly string[]): readonly Buffer[] => all.map((text) => Buffer.from(text))

type SeedName =
  | (typeof MACAROON_FORMATS)[number]
  | 'text'
  | 'bundle'
  | 'holder'
  | 'identifier'
  | 'ticket'
  | 'condition'
  | 'predicate'
  | 'path'

export const tokenSeeds: Readonly<Record<SeedName, () => readonly Buffer[]>> = {
  v1: encoded('v1'),
  v2: encoded('v2'),
  v2j: encoded('v2j'),
  text: (): readonly Buffer[] => buffers([...texts(), ...upstream()]),
  bundle: (): readonly Buffer[] => buffers(texts().map((text, at, all) => `${text}~${all[(at * 7) % all.length]}`)),
  holder: (): readonly Buffer[] => buffers(ownTokens()),
  identifier: (): readonly Buffer[] => [0, 4].map((count) => Buffer.from(identifierWith(count))),
  ticket: tickets,
  condition: (): readonly Buffer[] => buffers(CONDITIONS),
  predicate: (): readonly Buffer[] => buffers(PREDICATES),
  path: (): readonly Buffer[] => buffers(PATHS),
}

/** Tokens of this authority alone and as bundles, because only their contents can be inspected. */
function ownTokens(): readonly string[] {
  const derivedKey = Buffer.alloc(32, 3)
  const tokens = [0, 4].map((count) => createMacaroon({ derivedKey, identifier: identifierWith(count) }))
  const narrowed = tokens.map((token) => attenuate(token, ['op = read', Uint8Array.of(0xff)]))
  const alone = [...tokens, ...narrowed].flatMap((token) => [encodeText(token, 'text'), encodeText(token, 'v2')])
  return [...alone, `${alone[0]}~${alone[3]}`, `${alone[1]}~${alone[2]}`]
}

function tickets(): readonly Buffer[] {
  const publicKey = x25519PublicKey(Buffer.alloc(32, 2))
  const recipients = [{ sharedKey: Buffer.alloc(32, 1) }, { publicKey }]
  return recipients.map((recipient) => Buffer.from(sealTicket(TICKET, recipient, ENTROPY)))
}

function identifierWith(count: number): Uint8Array {
  const id = { kid: kid('00112233445566ff'), nonce: nonce('019a00000000700080000000000000aa') }
  return encodeIdentifier({ ...id, expiresAt: 1_800_000_000, ancestors: Array(count).fill(id), subject: 'alice' })
}
