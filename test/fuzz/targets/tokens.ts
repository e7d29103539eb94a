/** Targets of what holders write: every format of a macaroon, bundles, tickets, caveats, and paths of accesses. */
import type { ErrorCode } from '../../../shared/errors.ts'
import * as holder from '../../../shared/holder/holder.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeMacaroon, encodeMacaroon } from '../../../shared/macaroon/format.ts'
import { decodeIdentifier, encodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { parseCondition } from '../../../primary/authority/condition.ts'
import { AskedValue } from '../../../shared/macaroon/predicate/asked-value.ts'
import { compilePredicate } from '../../../shared/macaroon/predicate/compile.ts'
import { encodeText, readTokenText } from '../../../shared/macaroon/text.ts'
import { openTicket } from '../../../shared/macaroon/ticket.ts'
import { decodeV1 } from '../../../shared/macaroon/v1-reader.ts'
import { encodeV1 } from '../../../shared/macaroon/v1-writer.ts'
import { decodeV2 } from '../../../shared/macaroon/v2-reader.ts'
import { encodeV2 } from '../../../shared/macaroon/v2-writer.ts'
import { decodeV2J } from '../../../shared/macaroon/v2j-reader.ts'
import { encodeV2J } from '../../../shared/macaroon/v2j-writer.ts'
import { TICKET, TICKET_KEYS } from '../fixed.ts'
import { mutate, reframed } from '../mutate.ts'
import type { Random } from '../random.ts'
import { type Case, answersOf } from '../../shared/holder/case.ts'
import { NATIVE } from '../../shared/holder/cases.ts'
import { countText, requireBytes, requireSame, type Target } from '../target.ts'
import { fuzzPath } from './paths.ts'
import { tokenSeeds } from './token-seeds.ts'

/** One encoding is accepted: what was read is written as the same bytes. */
function canonical<T>(input: Buffer, decode: (bytes: Uint8Array) => T, encode: (value: T) => Uint8Array): string {
  requireBytes(encode(decode(input)), input, 'a second encoding was accepted')
  return 'accepted'
}

/** A JSON parser that is not ours must see the same identifier. */
function fuzzV2J(input: Buffer): string {
  const macaroon = decodeV2J(input)
  same(decodeV2J(encodeV2J(macaroon)), macaroon)
  const parsed = JSON.parse(input.toString('utf8')) as { i?: string; i64?: string }
  const identifier = parsed.i === undefined ? Buffer.from(parsed.i64 ?? '', 'base64') : Buffer.from(parsed.i)
  if (!identifier.equals(macaroon.identifier)) throw new Error('JSON.parse sees another identifier')
  return 'accepted'
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
  requireBytes(encodeV2(a), encodeV2(b), 'what was written is not read back the same')
}

function fuzzTicket(input: Buffer): string {
  const { caveatKey, condition } = openTicket(input, TICKET_KEYS)
  if (Buffer.compare(caveatKey, TICKET.caveatKey) !== 0 || condition !== TICKET.condition) {
    throw new Error('a changed ticket was opened')
  }
  return 'accepted'
}

/** What was understood, and written again, means the same; and no org is ever among it. */
function fuzzCondition(input: Buffer): string {
  const values = parseCondition(input.toString('utf8'))
  if (values.has('org')) throw new Error('a condition chose the org')
  const pairs = [...values].flatMap(([key, all]) => all.map((value) => `${enc(key)}=${enc(value)}`))
  const again = parseCondition(`may ${pairs.join('&')}`)
  if (JSON.stringify([...again]) !== JSON.stringify([...values]))
    throw new Error('it reads differently when written again')
  return values.size > 1 ? 'several' : 'one'
}

const enc = (text: string): string =>
  encodeURIComponent(text).replaceAll(/['()]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)

const VALUES = ['read', '/a/b', '7', '100..200', '10.1.2.3', '::1', '', '\0', '__proto__', 'x'.repeat(4_096)]

function fuzzPredicate(input: Buffer): string {
  const predicate = compilePredicate(input.toString('utf8'))
  if (predicate.kind !== 'value') return predicate.kind
  const allowed = VALUES.filter((value) => predicate.allows(new AskedValue(value)))
  return `${predicate.key in Object.prototype ? 'of the prototype' : 'value'} ${allowed.length > 0}`
}

/** A browser reads, writes and refuses every text like a node, to the words of the error. */
function fuzzHolder(input: Buffer): string {
  const text = input.toString('utf8')
  const cases: readonly Case[] = [
    { act: 'read', text },
    { act: 'inspect', text },
    { act: 'attenuate', text, caveats: ['op = read'] },
    { act: 'bind', root: text, discharges: [text] },
  ]
  requireSame(answersOf(holder, cases), answersOf(NATIVE, cases), 'macaroond/holder answers otherwise than the library')
  return holder.inspect(text).discharges === 0 ? 'token' : 'bundle'
}

const FORMAT_CODES = [
  'token_malformed',
  'token_missing',
  'token_base64',
  'token_duplicate',
  'token_field',
  'token_json',
  'token_length',
  'token_location',
  'token_signature',
  'token_trailing',
  'token_utf8',
  'token_vid',
  'token_truncated',
  'token_damaged',
  'token_too_large',
  'token_unsupported',
] as const satisfies readonly ErrorCode[]

/** Bytes of the formats, in the frame of a text or several of a bundle: mutated on the outside alone they would all be damaged. */
function texts(random: Random, inputsOf: (target: string) => readonly Buffer[], count: number): Buffer | undefined {
  if (random.below(2) === 0) return undefined
  const binary = inputsOf(random.pick(['v1', 'v2', 'v2j']))
  const parts = Array.from({ length: count }, () => {
    const part = random.pick(binary)
    return reframed(random.below(3) === 0 ? mutate(part, binary, random) : part, random)
  })
  return Buffer.from(parts.join('~'))
}

const target = (name: keyof typeof tokenSeeds, run: Target['run'], rest: Partial<Target> = {}): Target => ({
  name,
  seeds: tokenSeeds[name],
  run,
  codes: FORMAT_CODES,
  reach: ['accepted'],
  ...rest,
})

export const TOKEN_TARGETS: readonly Target[] = [
  target('v1', (input) => canonical(input, decodeV1, encodeV1)),
  target('v2', (input) => canonical(input, decodeV2, encodeV2)),
  target('v2j', fuzzV2J),
  target('text', fuzzText, {
    vary: (random, inputsOf) => texts(random, inputsOf, 1),
    reach: ['v1 accepted', 'v2 accepted', 'v2j accepted'],
  }),
  target('bundle', (input) => countText(decodeBundle(input.toString('utf8')).length), {
    vary: (random, inputsOf) => texts(random, inputsOf, 2 + random.below(3)),
    codes: [...FORMAT_CODES, 'bundle_malformed'],
    reach: ['several'],
  }),
  target('holder', fuzzHolder, {
    vary: (random, inputsOf) => texts(random, inputsOf, 1 + random.below(2)),
    codes: [...FORMAT_CODES, 'bundle_malformed'],
    reach: ['token', 'bundle', 'token_base64', 'token_malformed'],
  }),
  target('identifier', (input) => canonical(input, decodeIdentifier, encodeIdentifier)),
  target('ticket', fuzzTicket, { codes: ['ticket_invalid', 'token_unsupported'], reach: ['ticket_invalid'] }),
  target('condition', fuzzCondition, { codes: ['discharge_refused'], reach: ['one', 'several', 'discharge_refused'] }),
  target('predicate', fuzzPredicate, { codes: [], reach: ['value true', 'value false'] }),
  target('path', fuzzPath, { codes: [], reach: ['+++-', '----'] }),
]
