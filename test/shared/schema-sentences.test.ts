/** What is wrong with a value is said in our words. No phrase of the schema library reaches a person. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { primaryConfig } from '../../primary/config.ts'
import { createSigner } from '../../primary/signer/sdk.ts'
import { replicaConfig } from '../../replica/config.ts'
import { createVerifier } from '../../replica/worker/sdk.ts'
import { profileSchema } from '../../shared/config/profile.ts'
import { checkConfig, examineConfig } from '../../shared/config/read-config.ts'
import { params } from '../../shared/protocol/params.ts'
import { IN_SENTENCES } from '../../shared/schema-sentences.ts'
import { CALLS } from '../fuzz/samples.ts'
import { scratchFile } from '../fuzz/scratch.ts'

/** Beginnings and words of every message in zod's English locale. */
const PHRASE = /\b(Invalid|Too (big|small)|Unrecognized|expected|received)\b|>=|<=|\bobject\b|\bundefined\b/

const int = z.number().int().min(3).max(9)

test.each<[string, z.ZodType, unknown, string]>([
  ['a missing value', z.string(), undefined, 'is missing'],
  ['a number for a text', z.string(), 5, 'must be a text, and is a number'],
  ['a fraction for a whole number', int, 3.5, 'must be a whole number, and is a fraction'],
  ['a text for a number', int, '5', 'must be a number, and is a text'],
  ['what is not a number', z.number(), Number.NaN, 'must be a number, and is not a number'],
  ['a number beyond all whole numbers', z.number().int(), 2 ** 60, 'must be at most 9007199254740991'],
  ['a text for a switch', z.boolean(), 'yes', 'must be true or false, and is a text'],
  ['a table for a list', z.array(z.string()), {}, 'must be a list, and is a table'],
  ['a list for a table', z.strictObject({}), [], 'must be a table, and is a list'],
  ['null for a table', z.strictObject({}), null, 'must be a table, and is null'],
  ['a number that is too large', int, 10, 'must be at most 9'],
  ['a number that is too small', int, 2, 'must be at least 3'],
  ['a number at an open bound', z.number().gt(3).lt(9), 3, 'must be more than 3'],
  ['a number at the other one', z.number().gt(3).lt(9), 9, 'must be less than 9'],
  ['an empty text', z.string().min(1), '', 'must not be empty'],
  ['a text that is too long', z.string().max(3), 'four', 'must have at most 3 characters'],
  ['a text that is too short', z.string().min(3), 'no', 'must have at least 3 characters'],
  ['a list that is empty', z.array(z.string()).min(1), [], 'must not be empty'],
  ['a list that is too long', z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 entries'],
  ['a word that is none of those', z.enum(['local', 'replica']), 'x', 'must be one of local, replica'],
  ['a word that is not the one', z.literal('*'), 'x', 'must be *'],
  ['an unknown key', z.strictObject({}), { a: 1 }, 'has an unknown key: a'],
  ['unknown keys', z.strictObject({}), { a: 1, b: 2 }, 'has unknown keys: a, b'],
  ['a form that is wrong', z.string().regex(/^a$/), 'b', 'does not have the right form'],
  ['a form with words of its own', z.string().regex(/^a$/, 'write a'), 'b', 'write a'],
  ['a union', z.union([z.strictObject({ a: z.string() }), z.array(z.string())]), 5, 'fits none of the allowed forms'],
  ['a number out of step', z.number().multipleOf(5), 7, 'must be a multiple of 5'],
  ['a key of a record', z.record(z.string().max(1), z.string()), { ab: '' }, 'has an entry that is not valid'],
  ['a check without words', z.string().refine(() => false), 'x', 'is not valid'],
])('%s', (_, schema, value, sentence) => {
  expect(schema.safeParse(value, IN_SENTENCES).error?.issues[0]?.message).toBe(sentence)
})

/** Values of every kind, for the place of any other. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  '',
  'x\u0000',
  'x'.repeat(300_000),
  -1,
  1.5,
  1e300,
  true,
  [],
  [null],
  {},
]

/** The value with each part of it replaced by each wrong one, and with a key that nobody knows. */
function* broken(value: unknown): Generator<unknown> {
  yield* WRONG
  if (typeof value !== 'object' || value === null) return
  const isList = Array.isArray(value)
  if (!isList) yield { ...value, nobody_knows: 1 }
  for (const [key, part] of Object.entries(value)) {
    for (const other of broken(part)) {
      const entries = Object.entries(value).map(([name, own]) => [name, name === key ? other : own] as const)
      yield isList ? entries.map(([, own]) => own) : Object.fromEntries(entries)
    }
  }
}

function messageOf(check: () => unknown): string {
  try {
    check()
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const ID = `12D3Koo${'W'.repeat(45)}`
const kek = { file: 'kek', previous: [{ env: 'OLD' }] }
const node = {
  cluster: 'prod',
  data: 'd',
  identity: 'i',
  listen: '0.0.0.0:1',
  kek,
  peers: [{ id: ID, name: 'a', role: 'worker' }],
}
const CONFIGS: readonly (readonly [string, z.ZodType, object])[] = [
  [
    'primary',
    primaryConfig,
    { ...node, freshness: { lease_ms: 5_000 }, archive: { to: 'x', copies: ['y'], schedule: { drill: '0 0 * * *' } } },
  ],
  [
    'replica',
    replicaConfig,
    { ...node, region: 'fra', primary: { address: 'h:1', peer_id: ID }, maintenance: { scrub: '0 0 * * *' } },
  ],
  [
    'profile',
    profileSchema,
    {
      cluster: 'prod',
      identity: 'i',
      primary: { address: 'h:1', peer_id: ID },
      replicas: [{ region: 'fra', address: 'h:1', peer_id: ID }],
    },
  ],
]

describe('no phrase of the schema library is in what a person reads of', () => {
  test.each(CONFIGS)('a wrong %s configuration', (_, schema, sample) => {
    expect(messageOf(() => checkConfig('f', sample, schema))).toBe('')
    let refused = 0
    for (const value of broken(sample)) {
      const message = messageOf(() => checkConfig('f', value, schema))
      expect(message, JSON.stringify(value)?.slice(0, 300)).not.toMatch(PHRASE)
      if (message !== '') refused += 1
    }
    expect(refused).toBeGreaterThan(50)
  })

  test('the findings of a configuration', () => {
    const file = scratchFile('wrong.toml', Buffer.from('cluster = 5\nlisten = []\npeers = "x"\nunknown = 1\n'))
    const { faults } = examineConfig(file, primaryConfig)
    expect(faults.length).toBeGreaterThan(4)
    for (const { message } of faults) expect(message).not.toMatch(PHRASE)
  })

  test.each(CALLS.map(({ method, schema, params: sample }) => [method, schema, sample] as const))(
    'the call %s with wrong parameters',
    (_, schema, sample) => {
      for (const value of broken(sample)) {
        const message = messageOf(() => params(schema, value))
        expect(message, JSON.stringify(value)?.slice(0, 300)).not.toMatch(PHRASE)
      }
    },
  )

  test('wrong options of the SDKs', async () => {
    const options = {
      cluster: 'prod',
      identity: 'i',
      timeoutMs: 5,
      replicas: [{ address: 'h:1', peerId: ID }],
      cache: { entries: 5 },
    }
    for (const value of broken(options)) {
      const error: unknown = await createVerifier(value as never).catch((reason: unknown) => reason)
      expect(String(error)).not.toMatch(PHRASE)
    }
    for (const value of broken({ cluster: 'prod', identity: 'i', primary: { address: 'h:1', peerId: ID } })) {
      const error: unknown = await createSigner(value as never).catch((reason: unknown) => reason)
      expect(String(error)).not.toMatch(PHRASE)
    }
  })
})
