/**
 * Every page of documentation, followed by a reader who types it: each block runs on a cluster of `macaroond dev`, or is
 * checked by what fits it. The pages that are made from the code (docs/reference, docs/calls.md) have no block to run.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { primaryConfig } from '../../../primary/config.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { readConfig } from '../../../shared/config/read-config.ts'
import { type Dev, startDev } from '../../integration/cli/command.ts'
import { type Block, blocksOf } from './blocks.ts'
import { expectCompose, expectDockerfile, expectUnit } from './machine-files.ts'
import { masked } from './masked.ts'
import { compile, ROOT, runSnippet } from './snippets.ts'
import { Typist } from './typist.ts'

const inDocs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
const pages = ['CONTRIBUTING.md', ...inDocs.map((name) => `docs/${name}`)]
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const blocksIn = (page: string): readonly Block[] => blocksOf(read(page))

/** A page takes seconds on a quiet machine, and more on one that others use. */
const SLOW_MS = 150_000

/** What a block of each kind is for, and how it is tried. */
type Kinds = Readonly<Record<string, (block: Block, reader: Reader) => Promise<void> | void>>

/** A reader of one page. */
interface Reader {
  readonly folder: string
  readonly typist: Typist
  /** What the last program printed. */
  printed: string
}

const BASE = {
  'primary.toml':
    'cluster = "prod"\ndata = "data"\nidentity = "primary.key"\nlisten = "0.0.0.0:7400"\nkek = { file = "kek" }\n',
}

const KINDS: Kinds = {
  session: ({ code }, { typist }) => typist.types(code),
  program: async (block, reader) => {
    reader.printed = await runSnippet(block, reader.folder)
  },
  prints: ({ code }, { printed }) => expect(masked(printed)).toBe(masked(code)),
  types: () => undefined,
  'primary.toml': ({ code }, { folder }) => {
    const text = code.includes('cluster =') ? code : `${BASE['primary.toml']}\n${code}`
    writeFileSync(join(folder, 'page.toml'), text, { mode: 0o600 })
    expect(readConfig<object>(join(folder, 'page.toml'), primaryConfig)).toHaveProperty('cluster', 'prod')
  },
  'replica.toml': ({ code }, { folder }) => {
    writeFileSync(join(folder, 'page.toml'), code, { mode: 0o600 })
    expect(readConfig<object>(join(folder, 'page.toml'), replicaConfig)).toHaveProperty('cluster', 'prod')
  },
  unit: (block, { folder }) => expectUnit(block, folder),
  container: expectDockerfile,
  compose: expectCompose,
  // CI installs with the first, and the acceptance suite packs with the second.
  package: ({ code }) => expect(code.trim().split('\n')).toEqual(['npm ci', 'npm pack']),
  // The acceptance suite installs the package by these lines.
  install: ({ code }) => expect(code).toMatch(/^npm pack\n/),
  // CI runs each of them.
  contribute: ({ code }) => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> }
    const [install, ...others] = code.trim().split('\n')
    expect(install).toBe('npm ci')
    for (const line of others) expect(scripts).toHaveProperty([line.replace(/^npm (run )?/, '')])
  },
}

/** Tries the blocks in their order, because later ones use the files of earlier ones. */
async function expectBlocks(blocks: readonly Block[], reader: Reader): Promise<void> {
  for (const block of blocks) await KINDS[block.name]?.(block, reader)
}

/** Programs of TypeScript are compiled, all in one run, because the compiler starts slowly. */
const COMPILED: ReadonlySet<string> = new Set(['program', 'types'])

describe('the pages in docs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-pages-'))
  const before = process.cwd()
  let dev: Dev | undefined

  beforeAll(async () => {
    dev = await startDev(join(folder, 'demo'))
    process.chdir(folder)
    const first = new Typist(folder, './demo/operator.toml')
    await first.types(
      "$ macaroond org create acme\n$ macaroond token mint --org acme --subject alice --caveat 'op in read,write' > token.txt\n",
    )
  })

  afterAll(async () => {
    process.chdir(before)
    dev?.process.kill('SIGTERM')
    await dev?.ended
    rmSync(folder, { recursive: true, force: true })
  })

  test('have no block without a test', () => {
    const untested = pages.flatMap((page) =>
      blocksIn(page)
        .filter(({ name }) => !(name in KINDS))
        .map(({ name, code }) => `${page}: ${name} ${code.split('\n')[0]}`),
    )
    expect(untested).toEqual([])
  })

  test(
    'have TypeScript that passes the strict compiler',
    async () => {
      const blocks = ['README.md', ...pages].flatMap(blocksIn)
      const typescript = blocks.filter(({ language }) => language === 'ts')
      expect(typescript.filter(({ file }) => file === '')).toEqual([])
      await compile(typescript, join(folder, 'strict'))
    },
    SLOW_MS,
  )

  test.for(pages.filter((page) => blocksIn(page).length > 0))(
    '%s is followed from its first line to its last',
    { timeout: SLOW_MS },
    async (page) => {
      const reader: Reader = { folder, typist: new Typist(folder, './demo/operator.toml'), printed: '' }
      await expectBlocks(blocksIn(page), reader)
    },
  )
})

test('programs are written in TypeScript alone', () => {
  const programs = pages.flatMap(blocksIn).filter(({ name }) => COMPILED.has(name))
  expect(new Set(programs.map(({ language }) => language))).toEqual(new Set(['ts']))
})
