/**
 * Plants a violation of every lint rule that guards the architecture and sees the real linter, with the real
 * configuration, catch it. The tree is a copy in a temporary folder: override globs resolve from the folder of the
 * configuration, so a rule can be silently off, and only a planted violation tells.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from './project.ts'

interface Plant {
  readonly promise: string
  readonly file: string
  readonly code: string
  /** The rule that must report the file; null when nothing may be reported. */
  readonly rule: string | null
}

const LINT_MS = 50_000

const IMPORTS = 'eslint(no-restricted-imports)'
const caught = (promise: string, file: string, code: string, rule: string = IMPORTS): Plant => ({
  promise,
  file,
  code: `${code}\n`,
  rule,
})
const allowed = (promise: string, file: string, code: string): Plant => ({
  promise,
  file,
  code: `${code}\n`,
  rule: null,
})

const PLANTS: readonly Plant[] = [
  caught('primary must not import replica', 'primary/a1.ts', "export { x } from '../replica/x.ts'"),
  caught(
    'primary must not import replica from a folder',
    'primary/api/a2.ts',
    "export { x } from '../../replica/x.ts'",
  ),
  caught('primary must not import ops', 'primary/a3.ts', "export { x } from '../ops/x.ts'"),
  caught('not even a type of ops', 'primary/a4.ts', "export type { X } from '../ops/x.ts'"),
  caught('not even late', 'primary/a5.ts', "export const late = () => import('../replica/x.ts')"),
  caught('replica must not import primary', 'replica/a1.ts', "export { x } from '../primary/x.ts'"),
  caught('the worker SDK must not import primary', 'replica/worker/a2.ts', "export { x } from '../../primary/x.ts'"),
  caught('replica must not import ops', 'replica/a3.ts', "export { x } from '../ops/x.ts'"),
  caught('shared must not import primary', 'shared/a1.ts', "export { x } from '../primary/x.ts'"),
  caught('shared must not import replica', 'shared/a2.ts', "export { x } from '../replica/x.ts'"),
  caught('shared must not import ops', 'shared/ltx/a3.ts', "export { x } from '../../ops/x.ts'"),
  caught(
    'nor may shared/sqlite, whose list is its own',
    'shared/sqlite/a4.ts',
    "export { x } from '../../primary/x.ts'",
  ),
  caught('nor may shared/channel', 'shared/channel/a5.ts', "export { x } from '../../replica/x.ts'"),
  caught('nor may shared/crypto.ts', 'shared/crypto.ts', "export { x } from '../ops/x.ts'"),
  caught('the ground of shared must not import tokens', 'shared/f1.ts', "export { x } from './macaroon/x.ts'"),
  caught('files stand on the ground', 'shared/files/f2.ts', "export type { X } from '../sqlite/x.ts'"),
  caught('tokens must not import storage', 'shared/verifier/f3.ts', "export type { X } from '../database/x.ts'"),
  caught('storage must not import the wire', 'shared/archive/s3/f4.ts', "export { x } from '../../protocol/x.ts'"),
  caught('the wire must not import the node', 'shared/channel/f5.ts', "export { x } from '../config/x.ts'"),
  caught('a browser has no files', 'shared/holder/h1.ts', "export { readFileSync } from 'node:fs'"),
  caught('nor a module of Node by its old name', 'shared/holder/h2.ts', "export { inflate } from 'zlib'"),
  caught('a holder loads no zod', 'shared/ids.ts', "export { z } from 'zod'"),
  caught('the codec takes its primitives', 'shared/macaroon/text-codec.ts', "export { crc32 } from 'node:zlib'"),
  caught('the chain takes its HMAC', 'shared/macaroon/chain.ts', "export { x } from '../crypto.ts'"),
  caught(
    'a reader is not built on the functions for nodes',
    'shared/macaroon/contents.ts',
    "export { x } from './text.ts'",
  ),
  caught('not even for a type', 'shared/macaroon/format.ts', "export type { X } from '../clock.ts'"),
  caught('nor does it judge an access', 'shared/macaroon/predicate/time.ts', "export type { X } from './network.ts'"),
  caught(
    'a browser has no Buffer',
    'shared/macaroon/bytes.ts',
    "export const b = Buffer.from('x')",
    'eslint(no-restricted-globals)',
  ),
  caught('nor a process', 'shared/errors.ts', 'export const e = process.env', 'eslint(no-restricted-globals)'),
  caught(
    'a holder waits for nothing',
    'shared/holder/h3.ts',
    'export const w = setTimeout(() => undefined, 1)',
    'eslint(no-restricted-globals)',
  ),
  caught('ops must not import tests', 'ops/b1.ts', "export { x } from '../test/x.ts'"),
  caught('primary must not import tests', 'primary/b2.ts', "export { x } from '../test/x.ts'"),
  caught('replica must not import tests', 'replica/b3.ts', "export { x } from '../test/x.ts'"),
  caught('shared must not import tests', 'shared/b4.ts', "export { x } from '../test/x.ts'"),
  caught('nobody imports the published package', 'ops/b5.ts', "export { createVerifier } from 'macaroond/worker'"),
  caught('nobody uses an imports map', 'replica/b6.ts', "export { x } from '#shared/x.ts'"),
  caught('ops must not open SQLite by itself', 'ops/c1.ts', "export { default as Database } from 'better-sqlite3'"),
  caught(
    'primary must not',
    'primary/c2.ts',
    "import Database from 'better-sqlite3'\nexport const d = new Database('x')",
  ),
  caught(
    'shared outside sqlite must not',
    'shared/c3.ts',
    "import D from 'better-sqlite3'\nexport const d = new D('x')",
  ),
  caught('replica must not speak Noise by itself', 'replica/c4.ts', "export { noise } from '@chainsafe/libp2p-noise'"),
  caught('primary must not use libp2p', 'primary/c5.ts', "export { peerIdFromString } from '@libp2p/peer-id'"),
  caught('comparison of secrets has one home', 'shared/c6.ts', "export { timingSafeEqual } from 'node:crypto'"),
  caught('so has HMAC', 'primary/c7.ts', "export { createHmac } from 'node:crypto'"),
  caught('so have ciphers', 'replica/c8.ts', "export { createCipheriv } from 'crypto'"),
  caught(
    'the whole crypto module is out of reach',
    'ops/c9.ts',
    "import * as c from 'node:crypto'\nexport const k = c.createHmac",
  ),
  caught('also as its default', 'ops/c10.ts', "import c from 'node:crypto'\nexport const k = c.createHmac"),
  caught('the clock is a parameter', 'shared/d1.ts', 'export const t = Date.now()', 'eslint(no-restricted-properties)'),
  caught(
    'chance is a parameter',
    'replica/d2.ts',
    'export const r = Math.random()',
    'eslint(no-restricted-properties)',
  ),
  caught(
    'waiting is a parameter',
    'replica/d12.ts',
    'export const w = setTimeout(() => undefined, 1)',
    'eslint(no-restricted-globals)',
  ),
  caught('also as a promise', 'primary/d13.ts', "export { setTimeout } from 'node:timers/promises'"),
  caught('no default exports', 'shared/d3.ts', 'export default 1', 'import(no-default-export)'),
  caught('no any', 'ops/d4.ts', 'export const a = (b: any): string => String(b)', 'typescript(no-explicit-any)'),
  caught('no loose equality', 'ops/d5.ts', 'export const e = (a: number, b: number) => a == b', 'eslint(eqeqeq)'),
  caught('nothing unused', 'ops/d6.ts', 'const u = 1\nexport const v = 2', 'eslint(no-unused-vars)'),
  caught('no console', 'primary/d7.ts', "console.log('x')", 'eslint(no-console)'),
  caught(
    'no promise is left alone',
    'primary/d8.ts',
    'const f = async (): Promise<void> => {}\nexport const g = () => {\n  f()\n}',
    'typescript(no-floating-promises)',
  ),
  caught(
    'no promise stands where void is expected',
    'primary/d9.ts',
    'const f = (cb: () => void) => cb()\nf(async () => {})',
    'typescript(no-misused-promises)',
  ),
  caught(
    'every case of a union is handled',
    'shared/d10.ts',
    "export function f(k: 'a' | 'b'): number {\n  switch (k) {\n    case 'a':\n      return 1\n  }\n  return 0\n}",
    'typescript(switch-exhaustiveness-check)',
  ),
  caught(
    'no import cycle',
    'shared/cycle-a.ts',
    "export { b } from './cycle-b.ts'\nexport const a = 1",
    'import(no-cycle)',
  ),
  caught(
    'no circle of types alone',
    'shared/circle-a.ts',
    "import type { B } from './circle-b.ts'\nexport type A = B | 1",
    'import(no-cycle)',
  ),
  caught(
    'tests: no forgotten only',
    'test/d11.test.ts',
    "import { it } from 'vitest'\nit.only('x', () => {})",
    'vitest(no-focused-tests)',
  ),

  allowed('the node imports the wire', 'shared/config/f6.ts', "export { x } from '../channel/x.ts'"),
  allowed('storage imports tokens', 'shared/database/f7.ts', "export { x } from '../verifier/x.ts'"),
  allowed(
    'a holder hashes with @noble/hashes',
    'shared/holder/h4.ts',
    "export { sha256 } from '@noble/hashes/sha2.js'\nexport { x } from '../macaroon/chain.ts'",
  ),
  allowed(
    'nodes read tokens with what Node has',
    'shared/macaroon/text.ts',
    "export { crc32 } from 'node:zlib'\nexport const b = Buffer.from('x')",
  ),
  allowed('ops imports primary', 'ops/ok1.ts', "export { x } from '../primary/x.ts'"),
  allowed('ops imports replica', 'ops/ok2.ts', "export { x } from '../replica/x.ts'"),
  allowed('primary imports shared', 'primary/ok3.ts', "export { x } from '../shared/x.ts'"),
  allowed('replica imports shared', 'replica/ok4.ts', "export { x } from '../shared/x.ts'"),
  allowed(
    'tests import anything',
    'test/ok5.ts',
    "export { x } from '../replica/x.ts'\nexport { timingSafeEqual } from 'node:crypto'",
  ),
  allowed(
    'shared/sqlite owns the driver',
    'shared/sqlite/ok6.ts',
    "export { default as Database } from 'better-sqlite3'",
  ),
  allowed(
    'its types may be named elsewhere',
    'primary/ok7.ts',
    "import type { Database } from 'better-sqlite3'\nexport type D = Database",
  ),
  allowed('shared/channel owns Noise', 'shared/channel/ok8.ts', "export { noise } from '@chainsafe/libp2p-noise'"),
  allowed(
    'hashes and random bytes are no secret',
    'shared/ok9.ts',
    "export { createHash, randomBytes } from 'node:crypto'",
  ),
  allowed(
    'shared/clock.ts reads the clock',
    'shared/clock.ts',
    'export const t = Date.now()\nexport const w = setTimeout(() => undefined, 1)',
  ),
]

let dir: string
let reported: ReadonlyMap<string, readonly string[]>

describe('the linter, as configured', () => {
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'macaroond-lint-'))
    await plantAll()
    reported = await lint()
  }, LINT_MS + 10_000)

  afterAll(() => rm(dir, { recursive: true, force: true }))

  it.each(PLANTS.filter((plant) => plant.rule !== null))('catches: $promise ($file)', ({ file, rule }) => {
    expect(reported.get(file) ?? []).toContain(rule)
  })

  it.each(PLANTS.filter((plant) => plant.rule === null))('allows: $promise ($file)', ({ file }) => {
    expect(reported.get(file) ?? []).toEqual([])
  })
})

async function plantAll(): Promise<void> {
  for (const file of ['oxlint.config.ts', 'tsconfig.json', 'package.json']) await cp(join(ROOT, file), join(dir, file))
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'))
  for (const layer of ['ops', 'primary', 'replica', 'shared', 'test']) {
    await plant(`${layer}/x.ts`, 'export const x = 1\nexport type X = number\n')
  }
  await plant('shared/cycle-b.ts', "export { a } from './cycle-a.ts'\nexport const b = 1\n")
  await plant('shared/circle-b.ts', "import type { A } from './circle-a.ts'\nexport type B = A | 2\n")
  for (const { file, code } of PLANTS) await plant(file, code)
}

async function plant(file: string, code: string): Promise<void> {
  await mkdir(dirname(join(dir, file)), { recursive: true })
  await writeFile(join(dir, file), code)
}

/** Rules reported, by file. */
async function lint(): Promise<ReadonlyMap<string, readonly string[]>> {
  const oxlint = join(ROOT, 'node_modules/oxlint/bin/oxlint')
  const stdout = await new Promise<string>((resolve) => {
    // The exit status is 1, as it should be: the tree is full of violations.
    execFile(
      process.execPath,
      [oxlint, '--format', 'json'],
      { cwd: dir, maxBuffer: 2 ** 26, timeout: LINT_MS },
      (_, out) => resolve(out),
    )
  })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly { code: string; filename: string }[] }
  const rules = new Map<string, string[]>()
  for (const { code, filename } of diagnostics) rules.set(filename, [...(rules.get(filename) ?? []), code])
  return rules
}
