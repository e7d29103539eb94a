/** An earlier version as a user has it: its tarball, installed into a folder of its own. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type * as SignerSdk from '../../primary/signer/sdk.ts'
import type * as WorkerSdk from '../../replica/worker/sdk.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '../..')

export interface Installed {
  readonly version: string
  /** What runs a node of it, before the role. */
  readonly program: string
  /** Of the databases it writes. */
  readonly schema: number
  readonly createSigner: typeof SignerSdk.createSigner
  readonly createVerifier: typeof WorkerSdk.createVerifier
}

function tarballOf(version: string): string {
  return join(import.meta.dirname, `macaroond-${version}.tgz`)
}

/** Rejects without the tarball: a run that upgrades from nothing proves nothing. */
export async function install(version: string, folder: string): Promise<Installed> {
  const tarball = tarballOf(version)
  if (!existsSync(tarball)) throw new Error(`${tarball} is not there: \`npm pack\` of that version makes it`)
  const home = join(folder, 'node_modules/macaroond')
  mkdirSync(home, { recursive: true })
  await run('tar', ['xzf', tarball, '-C', home, '--strip-components=1'])
  if (hasAll(join(home, 'package.json'))) symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'))
  else await installFromRegistry(tarball, folder)
  const load = async (path: string): Promise<unknown> => import(pathToFileURL(join(home, path)).href)
  const { exports: published = {} } = readJson(join(home, 'package.json'))
  const sdk = async (name: string): Promise<unknown> => load(published[name]?.default ?? `${name} is not published`)
  const { SCHEMA_VERSION } = (await load('dist/shared/database/schema.js')) as { readonly SCHEMA_VERSION: number }
  const { createSigner } = (await sdk('./signer')) as typeof SignerSdk
  const { createVerifier } = (await sdk('./worker')) as typeof WorkerSdk
  return { version, program: join(home, 'dist/ops/cli.js'), schema: SCHEMA_VERSION, createSigner, createVerifier }
}

/** True if this checkout has every dependency in the version that the tarball pins. */
function hasAll(manifest: string): boolean {
  const { dependencies = {} } = readJson(manifest)
  return Object.entries(dependencies).every(([name, version]) => {
    const own = join(ROOT, 'node_modules', name, 'package.json')
    return existsSync(own) && readJson(own).version === version
  })
}

async function installFromRegistry(tarball: string, folder: string): Promise<void> {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'upgraded', private: true, type: 'module' }))
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball]
  await run('npm', args, { cwd: folder, env: { ...process.env, PATH } })
}

function readJson(path: string): {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, { readonly default?: string }>>
} {
  return JSON.parse(readFileSync(path, 'utf8')) as ReturnType<typeof readJson>
}
