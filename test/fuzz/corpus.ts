/** Where mutation starts: every macaroon of the vectors in every form, caveats of every kind, and paths. */
import { readdirSync, readFileSync } from 'node:fs'
import { encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { kid, nonce } from '../../shared/ids.ts'
import { encodeMacaroon, MACAROON_FORMATS } from '../../shared/macaroon/format.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import { systemEntropy } from '../../shared/clock.ts'
import { x25519PublicKey } from '../../shared/crypto.ts'
import { decodeTokenText, encodeText } from '../../shared/macaroon/text.ts'
import { sealTicket } from '../../shared/macaroon/ticket.ts'
import { TARGETS, TICKET, type TargetName } from './targets.ts'

const folder = new URL('../vectors/', import.meta.url)

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
]

export type Corpus = Readonly<Record<TargetName, readonly Buffer[]>>

export function readCorpus(): Corpus {
  const macaroons = ['first_party.json', 'third_party.json'].flatMap((name) =>
    macaroonsIn(JSON.parse(readFileSync(new URL(name, folder), 'utf8'))),
  )
  const upstream = readdirSync(new URL('upstream/libmacaroons/', folder)).flatMap((name) =>
    readFileSync(new URL(`upstream/libmacaroons/${name}`, folder), 'utf8').split(/\s+/),
  )
  const texts = macaroons.flatMap((macaroon) =>
    (['v1', 'v2', 'v2j', 'text'] as const).map((f) => encodeText(macaroon, f)),
  )
  const [v1, v2, v2j] = MACAROON_FORMATS.map((format) => macaroons.map((m) => Buffer.from(encodeMacaroon(m, format))))
  const corpus: Record<TargetName, readonly Buffer[]> = {
    v1: v1 ?? [],
    v2: v2 ?? [],
    v2j: v2j ?? [],
    text: [...texts, ...upstream].map((text) => Buffer.from(text)),
    bundle: texts.map((text, i) => Buffer.from(`${text}~${texts[(i * 7) % texts.length]}`)),
    identifier: [0, 4].map((count) => Buffer.from(identifierWith(count))),
    ticket: tickets(),
    condition: CONDITIONS.map((text) => Buffer.from(text)),
    predicate: PREDICATES.map((text) => Buffer.from(text)),
    path: PATHS.map((text) => Buffer.from(text)),
  }
  for (const target of TARGETS) if (corpus[target].length === 0) throw new Error(`nothing to start from for ${target}`)
  return corpus
}

function tickets(): readonly Buffer[] {
  const publicKey = x25519PublicKey(Buffer.alloc(32, 2))
  const recipients = [{ sharedKey: Buffer.alloc(32, 1) }, { publicKey }]
  return recipients.map((recipient) => Buffer.from(sealTicket(TICKET, recipient, systemEntropy)))
}

function identifierWith(count: number): Uint8Array {
  const id = { kid: kid('00112233445566ff'), nonce: nonce('019a00000000700080000000000000aa') }
  return encodeIdentifier({ ...id, expiresAt: 1_800_000_000, ancestors: Array(count).fill(id), subject: 'alice' })
}
