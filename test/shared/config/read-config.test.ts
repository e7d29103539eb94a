import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { z } from 'zod'
import { primaryConfig, type PrimaryConfig } from '../../../primary/config.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { checkConfig, fromConfigFolder, readConfig } from '../../../shared/config/read-config.ts'
import { editDistance, suggest } from '../../../shared/suggest.ts'
import { codeOf } from '../code-of.ts'

const PEER_ID = `12D3Koo${'W'.repeat(45)}`
const OTHER_ID = `12D3Koo${'X'.repeat(45)}`

const COMMON = {
  cluster: 'test',
  data: 'data',
  identity: 'node.identity',
  listen: '127.0.0.1:7070',
  kek: { file: 'kek' },
  log: { level: 'info' },
  checkpoint: { pages: 2000 },
  maintenance: { scrub: '17 3 * * *' },
  peers: [{ id: PEER_ID, name: 'billing', role: 'signer', orgs: ['acme'] }],
}
const PRIMARY = { ...COMMON, alone: false, segments: { keep_bytes: 1_000_000 } }
const REPLICA = { ...COMMON, region: 'fra', verify_open: false, primary: { address: 'p:1', peer_id: PEER_ID } }

interface ReportedError {
  readonly code: string
  readonly message: string
  readonly hint: string
}

function errorOf(value: unknown, schema: z.ZodType): ReportedError | undefined {
  try {
    checkConfig('node.toml', value, schema)
    return undefined
  } catch (error) {
    return error as ReportedError
  }
}

/** Every key of a configuration with the path of its table, list items included. */
function keysOf(
  value: object,
  path: readonly (string | number)[] = [],
): { path: readonly (string | number)[]; key: string }[] {
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => (isTable(item) ? keysOf(item, [...path, index]) : []))
  }
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => [
    { path, key },
    ...(isTable(inner) ? keysOf(inner, [...path, key]) : []),
  ])
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A copy with the key at the path renamed. */
function renamed(value: object, path: readonly (string | number)[], key: string, to: string): object {
  const copy = structuredClone(value) as Record<string, unknown>
  let table = copy
  for (const part of path) table = table[part] as Record<string, unknown>
  table[to] = table[key]
  if (to !== key) delete table[key]
  return copy
}

test('the configurations that are taken apart below are good ones', () => {
  expect(errorOf(PRIMARY, primaryConfig)).toBeUndefined()
  expect(errorOf(REPLICA, replicaConfig)).toBeUndefined()
})

for (const [node, config, schema] of [
  ['primary', PRIMARY, primaryConfig as z.ZodType],
  ['replica', REPLICA, replicaConfig as z.ZodType],
] as const) {
  for (const { path, key } of keysOf(config)) {
    const where = [...path, key].join('.')
    const wrong = `${key}s`

    test(`${node}: beside ${where} an unknown key is refused with a suggestion`, () => {
      const table = renamed(config, path, key, key) as Record<string, unknown>
      let at = table
      for (const part of path) at = at[part] as Record<string, unknown>
      at[wrong] = 1
      const error = errorOf(table, schema)
      expect(error?.code).toBe('config_invalid')
      expect(error?.message).toContain([...path, wrong].join('.'))
      expect(error?.hint).toContain(`"${key}"`)
    })

    test(`${node}: a misspelled ${where} is an error that names the table or the key`, () => {
      const error = errorOf(renamed(config, path, key, wrong), schema)
      expect(error?.code).toBe('config_invalid')
      expect(error?.message + (error?.hint ?? '')).toContain(key)
    })
  }
}

const WRONG_VALUES: readonly (readonly [string, object])[] = [
  ['cluster', { cluster: 'Test Cluster' }],
  ['listen', { listen: '7070' }],
  ['listen', { listen: 'host:port' }],
  ['kek', { kek: {} }],
  ['kek', { kek: { file: 'a', env: 'B' } }],
  ['kek', { kek: { env: 'not a name' } }],
  ['kek', { kek: { command: [] } }],
  ['log.level', { log: { level: 'loud' } }],
  ['checkpoint.pages', { checkpoint: { pages: 1 } }],
  ['segments.keep_bytes', { segments: { keep_bytes: 1.5 } }],
  ['maintenance.scrub', { maintenance: { scrub: 'daily' } }],
  ['maintenance.purge', { maintenance: { purge: 'daily' } }],
  ['peers.0.id', { peers: [{ id: 'x', name: 'a', role: 'worker' }] }],
  ['peers.0.role', { peers: [{ id: PEER_ID, name: 'a', role: 'admin' }] }],
  ['peers.0.orgs', { peers: [{ id: PEER_ID, name: 'a', role: 'signer' }] }],
  ['peers.0.orgs', { peers: [{ id: PEER_ID, name: 'a', role: 'worker', orgs: ['acme'] }] }],
  ['peers.1.id', { peers: [PEER_ID, PEER_ID].map((id) => ({ id, name: 'a', role: 'worker' })) }],
  ['alone', { alone: 'yes' }],
]

for (const [at, change] of WRONG_VALUES) {
  test(`${JSON.stringify(change)} is reported as a wrong ${at}`, () => {
    const error = errorOf({ ...PRIMARY, ...change }, primaryConfig)
    expect(error?.code).toBe('config_invalid')
    expect(error?.message).toContain(at)
  })
}

test('an optional setting has a default, and a missing required one is named', () => {
  const { log: _, checkpoint: __, maintenance: ___, peers: ____, ...least } = COMMON
  const config: PrimaryConfig = checkConfig('node.toml', least, primaryConfig)
  expect(config).toMatchObject({ alone: false, log: { level: 'info' }, checkpoint: { pages: 2000 }, peers: [] })
  for (const key of ['cluster', 'data', 'identity', 'listen', 'kek'] as const) {
    const { [key]: _gone, ...missing } = COMMON
    expect(errorOf(missing, primaryConfig)?.message).toContain(key)
  }
})

test('two peers with two ids are two peers', () => {
  const peers = [PEER_ID, OTHER_ID].map((id) => ({ id, name: 'a', role: 'worker' }))
  expect(errorOf({ ...PRIMARY, peers }, primaryConfig)).toBeUndefined()
})

test('no value of any form gives anything but a configuration or config_invalid', () => {
  fc.assert(
    fc.property(fc.anything(), fc.constantFrom('kek', 'peers', 'segments', 'listen', 'log'), (value, key) => {
      expect(errorOf(value, primaryConfig)?.code).toBe('config_invalid')
      expect(errorOf({ ...PRIMARY, [key]: value }, primaryConfig)?.code ?? 'config_invalid').toBe('config_invalid')
    }),
  )
})

function fileOf(content: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'node.toml')
  writeFileSync(file, content)
  return file
}

test('a broken file is reported with its line, and none of its content', () => {
  const file = fileOf('cluster = "test"\nkek = { env = "very-secret-value\n')
  try {
    readConfig(file, primaryConfig)
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({ code: 'config_invalid' })
    expect(String(error)).toContain(`${file}:2:`)
    expect(String(error)).not.toContain('very-secret-value')
  }
})

test('garbage, a huge file and an endless one are refused at once', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const file = fileOf(Buffer.from(bytes))
      expect(codeOf(() => readConfig(file, primaryConfig))).toBe('config_invalid')
    }),
    { numRuns: 30 },
  )
  expect(codeOf(() => readConfig(fileOf(Buffer.alloc(2 * 1024 * 1024, 0x0a)), primaryConfig))).toBe('config_invalid')
  expect(codeOf(() => readConfig('/dev/zero', primaryConfig))).toMatch(/config_(invalid|unreadable)/)
})

test('a missing file, a folder and an unreadable file each have an error code', () => {
  expect(codeOf(() => readConfig('/nowhere/node.toml', primaryConfig))).toBe('config_unreadable')
  expect(codeOf(() => readConfig(tmpdir(), primaryConfig))).toBe('config_unreadable')
  const file = fileOf('cluster = "test"')
  chmodSync(file, 0)
  const asRoot = process.getuid?.() === 0
  expect(codeOf(() => readConfig(file, primaryConfig))).toBe(asRoot ? 'config_invalid' : 'config_unreadable')
})

test('a named pipe in the place of the file does not hang the start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(codeOf(() => readConfig(pipe, primaryConfig))).toBe('config_unreadable')
})

test('paths are meant from the folder of the file that names them', () => {
  expect(fromConfigFolder('/etc/macaroond/node.toml', 'data')).toBe('/etc/macaroond/data')
  expect(fromConfigFolder('/etc/macaroond/node.toml', '/var/data')).toBe('/var/data')
  expect(fromConfigFolder('/etc/macaroond/node.toml', '../data')).toBe('/etc/data')
})

test('a suggestion is near, or there is none', () => {
  expect(suggest('liste', ['listen', 'log'])).toBe('listen')
  expect(suggest('LISTEN', ['listen'])).toBe('listen')
  expect(suggest('kekk', ['listen', 'kek'])).toBe('kek')
  expect(suggest('something', ['listen', 'kek'])).toBeUndefined()
  expect(suggest('x', [])).toBeUndefined()
})

test('the distance of two words is a distance', () => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(editDistance(a, a)).toBe(0)
      expect(editDistance(a, b)).toBe(editDistance(b, a))
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c))
    }),
  )
})
