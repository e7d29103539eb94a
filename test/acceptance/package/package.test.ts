/**
 * The published package, as a stranger gets it: packed, installed into an empty folder, run and imported from there.
 * Its dependencies come from wherever the npm of this machine is configured to get them.
 */
import { execFile } from 'node:child_process'
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf } from '../readme/blocks.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const HERE = fileURLToPath(new URL('.', import.meta.url))
const INSTALL_MS = 300_000
/** Of `macaroond/holder`, minified and gzipped. */
const HOLDER_BYTES_MAX = 20_000

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The folder of the service that docs/verifying.md makes beside the checkout. */
let dir: string
let home: string
let packed: readonly string[]

/** Runs a command in the consumer's folder, with the Node of this test run first on PATH. */
function run(command: string, args: readonly string[], cwd: string = dir): Promise<Outcome> {
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: { ...process.env, PATH }, maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr }),
    )
  })
}

async function ok(command: string, args: readonly string[], cwd?: string): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, cwd)
  expect(status, `${command} ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
  return stdout
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'macaroond-package-'))
  const checkout = join(home, 'macaroond')
  dir = join(home, 'api')
  await mkdir(join(checkout, 'demo'), { recursive: true })
  const copied = ['demo/worker.toml', 'demo/worker.key', 'token.txt']
  for (const file of copied) await writeFile(join(checkout, file), file)
  const report = JSON.parse(await ok('npm', ['pack', '--json', '--pack-destination', checkout], ROOT)) as PackReport
  // npm 12 answers an object by package name, older ones a list.
  const [pack] = Object.values(report)
  packed = pack?.files.map((file) => file.path) ?? []
  const page = blocksOf(await readFile(join(ROOT, 'docs/verifying.md'), 'utf8'))
  const [first, ...typed] =
    page
      .find(({ name }) => name === 'install')
      ?.code.trim()
      .split('\n') ?? []
  expect(first).toBe('npm pack')
  await ok(
    'bash',
    ['-ec', `export npm_config_prefer_offline=true npm_config_audit=false\n${typed.join('\n')}`],
    checkout,
  )
  for (const file of copied) expect(await readFile(join(dir, file), 'utf8')).toBe(file)
}, INSTALL_MS)

type PackReport = Readonly<Record<string, { readonly filename: string; readonly files: readonly { path: string }[] }>>

afterAll(() => rm(home, { recursive: true, force: true }))

describe('the tarball', () => {
  it('holds the built package and its documents, and nothing else', () => {
    const documents = [
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'EVIDENCE.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'ops/RUNBOOK.md',
      'package.json',
    ]
    const others = /^(docs\/.*|ops\/examples\/[\w-]+\/README|shared\/\w+\/(FORMAT|PROTOCOL))\.md$/
    expect(packed.filter((path) => !path.startsWith('dist/') && !others.test(path)).toSorted()).toEqual(documents)
    expect(packed.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path))).toEqual([])
    expect(packed.filter((path) => /(^|\/)test\//.test(path))).toEqual([])
  })

  it('holds every file that the README and the pages in docs link to', async () => {
    const pages = packed.filter((path) => path === 'README.md' || /^docs\/.*\.md$/.test(path))
    expect(pages.length).toBeGreaterThan(10)
    const links = await Promise.all(pages.map(async (page) => linksOf(await readFile(join(ROOT, page), 'utf8'), page)))
    expect(links.flat().filter(({ target }) => !packed.includes(target))).toEqual([])
  })
})

interface Link {
  readonly page: string
  readonly target: string
}

function linksOf(text: string, page: string): readonly Link[] {
  const links = [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)]
  return links.map(([, link = '']) => ({ page, target: join(dirname(page), link) }))
}

describe('the installed command', () => {
  it('prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect((await ok('npx', ['--no-install', 'macaroond', '--version'])).trim()).toBe(version)
  })

  it('prints its help', async () => {
    expect(await ok('npx', ['--no-install', 'macaroond', '--help'])).toContain('Usage: macaroond')
  })

  it('refuses an old Node in plain words, before anything native is loaded', async () => {
    const { status, stderr, stdout } = await onOldNode(['--version'])
    expect(stderr).toContain('node_too_old')
    expect(stderr).toContain('22.18')
    expect(stderr).not.toContain('loaded native code')
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  })

  it.each(['macaroond', 'macaroond/worker', 'macaroond/signer', 'macaroond/testing'])(
    'has the entry %s, which refuses it, too',
    async (entry) => {
      const code = `import('${entry}').catch(({ code }) => console.log(code))`
      const { stdout, stderr } = await run(process.execPath, [
        '--import',
        await oldNode(),
        '--input-type=module',
        '-e',
        code,
      ])
      expect({ stdout, stderr }).toEqual({ stdout: 'node_too_old\n', stderr: '' })
    },
  )

  it('refuses it as a document where JSON was asked for', async () => {
    const { status, stdout } = await onOldNode(['status', '--json'])
    expect(status).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'node_too_old', hint: expect.any(String) } })
  })
})

async function onOldNode(args: readonly string[]): Promise<Outcome> {
  return run(process.execPath, [
    '--import',
    await oldNode(),
    join(dir, 'node_modules/macaroond/dist/ops/cli.js'),
    ...args,
  ])
}

/** Makes this Node claim to be an old one, and tells when a native module is loaded all the same. */
async function oldNode(): Promise<string> {
  const preload = join(dir, 'old-node.mjs')
  await writeFile(
    preload,
    `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })
     const dlopen = process.dlopen
     process.dlopen = (...args) => { process.stderr.write('loaded native code'); return dlopen.apply(process, args) }`,
  )
  return preload
}

describe('the installed entries', () => {
  it.each([
    ['macaroond', 'library.ts'],
    ['macaroond/holder', 'holder.ts'],
    ['macaroond/worker', 'worker.ts'],
    ['macaroond/signer', 'signer.ts'],
    ['macaroond/testing', 'testing.ts'],
  ])('%s is imported and does its work', async (_, consumer) => {
    await cp(join(HERE, 'consumer', consumer), join(dir, consumer))
    expect((await ok(process.execPath, [consumer])).trim()).toBe('ok')
  })

  it('type-check in a strict project that checks the libraries as well', async () => {
    await cp(join(HERE, 'consumer'), join(dir, 'typed'), { recursive: true })
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      typeRoots: [join(ROOT, 'node_modules/@types')],
      types: ['node'],
    }
    await writeFile(join(dir, 'typed/tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }))
    await ok(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', join(dir, 'typed')])
  })

  it('have one for browsers, which type-checks and bundles where nothing of Node is known', async () => {
    const folder = join(dir, 'browser')
    await mkdir(folder)
    // A page prints nothing that a test reads.
    const source = (await readFile(join(HERE, 'consumer/holder.ts'), 'utf8')).replace("console.log('ok')", '')
    await writeFile(join(folder, 'holder.ts'), source)
    const compilerOptions = {
      module: 'preserve',
      target: 'es2024',
      lib: ['es2024', 'dom'],
      types: [],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['.'] }))
    await ok(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder])
    const { outputFiles } = await build({
      entryPoints: [join(folder, 'holder.ts')],
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      write: false,
    })
    expect(gzipSync(outputFiles[0]?.contents ?? '').length).toBeLessThan(HOLDER_BYTES_MAX)
  })

  it('are the only ones: files of the package are not reachable by their path', async () => {
    const code = "await import('macaroond/dist/shared/errors.js')"
    const { status, stderr } = await run(process.execPath, ['--input-type=module', '-e', code])
    expect(status).toBe(1)
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  it('have declarations for every built file, each of which only names files that are there', async () => {
    const dist = join(dir, 'node_modules/macaroond/dist')
    const declarations = (await readdir(dist, { recursive: true })).filter((path) => path.endsWith('.d.ts'))
    expect(declarations.length).toBe(packed.filter((path) => path.endsWith('.js')).length)
    for (const path of declarations) {
      const specifiers = (await readFile(join(dist, path), 'utf8')).matchAll(/from '(\.{1,2}\/[^']+)\.ts'/g)
      for (const [, target] of specifiers) await access(join(dist, dirname(path), `${target}.d.ts`))
    }
  })
})
