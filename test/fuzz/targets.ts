/**
 * What is fuzzed, and what must hold for any input: an error of the documented kind or an accepted value, and for what is
 * accepted the promises that FORMAT.md makes. Each target says how it ended, in a word that is the same for inputs that
 * took the same way.
 */
import { posix } from 'node:path'
import { MacaroondError } from '../../shared/errors.ts'
import { decodeBundle } from '../../shared/macaroon/bundle.ts'
import { decodeMacaroon, encodeMacaroon } from '../../shared/macaroon/format.ts'
import { decodeIdentifier, encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import { parseCondition } from '../../primary/authority/condition.ts'
import { compilePredicate } from '../../shared/macaroon/predicate/compile.ts'
import { encodeText, readTokenText } from '../../shared/macaroon/text.ts'
import { openTicket, type Ticket, type TicketKey } from '../../shared/macaroon/ticket.ts'
import { decodeV1 } from '../../shared/macaroon/v1-reader.ts'
import { encodeV1 } from '../../shared/macaroon/v1-writer.ts'
import { decodeV2 } from '../../shared/macaroon/v2-reader.ts'
import { encodeV2 } from '../../shared/macaroon/v2-writer.ts'
import { decodeV2J } from '../../shared/macaroon/v2j-reader.ts'
import { encodeV2J } from '../../shared/macaroon/v2j-writer.ts'

export const TARGETS = [
  'v1',
  'v2',
  'v2j',
  'text',
  'bundle',
  'identifier',
  'ticket',
  'condition',
  'predicate',
  'path',
] as const
export type TargetName = (typeof TARGETS)[number]

const DOCUMENTED = /^(token_\w+|bundle_malformed|ticket_invalid|discharge_refused)$/

/** Throws if a promise is broken. */
export function fuzzOne(target: TargetName, input: Buffer): string {
  try {
    return RUN[target](input)
  } catch (error) {
    if (!(error instanceof MacaroondError) || !DOCUMENTED.test(error.code)) throw error
    // Numbers in a message are as many as inputs; without them it says which check it was.
    return `${target} ${error.code} ${error.message.replaceAll(/[0-9]+/g, '#')}`
  }
}

const RUN: Readonly<Record<TargetName, (input: Buffer) => string>> = {
  v1: (input) => canonical('v1 bytes', input, decodeV1, encodeV1),
  v2: (input) => canonical('v2 bytes', input, decodeV2, encodeV2),
  v2j: fuzzV2J,
  text: fuzzText,
  bundle: (input) => `bundle of ${decodeBundle(input.toString('utf8')).length > 1 ? 'several' : 'one'}`,
  identifier: (input) => canonical('identifier', input, decodeIdentifier, encodeIdentifier),
  ticket: fuzzTicket,
  condition: fuzzCondition,
  predicate: fuzzPredicate,
  path: fuzzPath,
}

/** One encoding is accepted: what was read is written as the same bytes. */
function canonical<T>(
  what: string,
  input: Buffer,
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
): string {
  if (Buffer.compare(encode(decode(input)), input) !== 0) throw new Error('a second encoding was accepted')
  return `${what} accepted`
}

/** A JSON parser that is not ours must see the same identifier. */
function fuzzV2J(input: Buffer): string {
  const macaroon = decodeV2J(input)
  same(decodeV2J(encodeV2J(macaroon)), macaroon)
  const parsed = JSON.parse(input.toString('utf8')) as { i?: string; i64?: string }
  const identifier = parsed.i === undefined ? Buffer.from(parsed.i64 ?? '', 'base64') : Buffer.from(parsed.i)
  if (!identifier.equals(macaroon.identifier)) throw new Error('JSON.parse sees another identifier')
  return 'v2j bytes accepted'
}

function fuzzText(input: Buffer): string {
  const text = input.toString('utf8')
  const { format, macaroon } = readTokenText(text)
  const json = format === 'v2j'
  if (!json && encodeText(macaroon, format) !== text) throw new Error('a second spelling was accepted')
  for (const other of ['v1', 'v2', 'v2j'] as const)
    same(decodeMacaroon(encodeMacaroon(macaroon, other), LOOSE), macaroon)
  return `${format} accepted`
}

/** What fits into one format may be too large for another. */
const LOOSE = { bytes: 2 ** 20, caveats: 1_000, caveatBytes: 2 ** 16, locationBytes: 2 ** 16, identifierBytes: 2 ** 16 }

function same(a: Macaroon, b: Macaroon): void {
  if (Buffer.compare(encodeV2(a), encodeV2(b)) !== 0) throw new Error('what was written is not read back the same')
}

/** The keys that the corpus is sealed for; nothing but that corpus itself may open with them. */
export const TICKET_KEYS: readonly TicketKey[] = [
  { sharedKey: Buffer.alloc(32, 1) },
  { privateKey: Buffer.alloc(32, 2) },
]
export const TICKET: Ticket = { caveatKey: new Uint8Array(32).fill(3), condition: 'may op=read' }

function fuzzTicket(input: Buffer): string {
  const { caveatKey, condition } = openTicket(input, TICKET_KEYS)
  if (Buffer.compare(caveatKey, TICKET.caveatKey) !== 0 || condition !== TICKET.condition) {
    throw new Error('a changed ticket was opened')
  }
  return 'ticket accepted'
}

/** What was understood, and written again, means the same; and no org is ever among it. */
function fuzzCondition(input: Buffer): string {
  const values = parseCondition(input.toString('utf8'))
  if (values.has('org')) throw new Error('a condition chose the org')
  const pairs = [...values].flatMap(([key, all]) => all.map((value) => `${enc(key)}=${enc(value)}`))
  const again = parseCondition(`may ${pairs.join('&')}`)
  if (JSON.stringify([...again]) !== JSON.stringify([...values]))
    throw new Error('it reads differently when written again')
  return `condition of ${values.size > 1 ? 'several' : 'one'}`
}

const enc = (text: string): string =>
  encodeURIComponent(text).replaceAll(/['()]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)

const VALUES = ['read', '/a/b', '7', '100..200', '10.1.2.3', '::1', '', '\0', '__proto__', 'x'.repeat(4_096)]

function fuzzPredicate(input: Buffer): string {
  const predicate = compilePredicate(input.toString('utf8'))
  if (predicate.kind !== 'value') return `predicate ${predicate.kind}`
  const allowed = VALUES.filter((value) => predicate.allows(value))
  return `predicate ${predicate.key in Object.prototype ? 'of the prototype' : 'value'} ${allowed.length > 0}`
}

/** Several prefixes: a file, a folder, and one that is only almost the beginning. */
const PREFIXES = ['/a', '/a/', '/a/b', '/photos/2026/'].map((prefix) => ({
  prefix,
  predicate: compilePredicate(`path prefix ${prefix}`),
}))

function fuzzPath(input: Buffer): string {
  const path = input.toString('utf8')
  const outcomes = PREFIXES.map(({ prefix, predicate }) => {
    if (predicate.kind !== 'value') throw new Error('a prefix is not understood')
    if (!predicate.allows(path)) return '-'
    for (const place of placesOf(path)) {
      if (!isUnder(place, prefix))
        throw new Error(`${JSON.stringify(path)} clears ${prefix}, and may resolve to ${place}`)
    }
    return '+'
  })
  return `path ${outcomes.join('')}`
}

function isUnder(place: string, prefix: string): boolean {
  const folder = prefix.replace(/\/$/, '')
  return place === folder || place.startsWith(`${folder}/`)
}

/** Where servers and proxies could take a path to: decoded any number of times, with or without its odd characters. */
function placesOf(path: string): readonly string[] {
  const places = [new URL(`http://host${path}`).pathname]
  let decoded = path
  for (let round = 0; round < 5; round += 1) {
    const plain = decoded
      .replaceAll('\\', '/')
      .replaceAll(/[\t\r\n]/g, '')
      .replace(/[?#\0].*$/s, '')
    places.push(posix.normalize(decoded), posix.normalize(plain), posix.normalize(plain.replaceAll(/;[^/]*/g, '')))
    decoded = percentDecoded(decoded)
  }
  return places
}

/** Byte by byte, as lenient servers do: nothing is refused, and overlong forms of dots and slashes count. */
function percentDecoded(path: string): string {
  return path
    .replaceAll(/%c0%ae/gi, '.')
    .replaceAll(/%c0%af/gi, '/')
    .replaceAll(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
