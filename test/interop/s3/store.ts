/** A real S3 store on loopback, with one bucket: versitygw over a folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { BucketStorage } from '../../../shared/archive/s3/bucket.ts'
import type { S3ClientOptions } from '../../../shared/archive/s3/client.ts'
import { readCredentials } from '../../../shared/archive/s3/credentials.ts'
import { parseS3Url } from '../../../shared/archive/s3/settings.ts'
import { goTool } from '../go-tool.ts'

const VERSITYGW = { name: 'versitygw', path: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' } as const
const START_MS = 20_000

/** Of the store's only account. */
export const KEYS = { AWS_ACCESS_KEY_ID: 'archivist', AWS_SECRET_ACCESS_KEY: 'a-secret-of-the-tests-7f3a' } as const
export const BUCKET = 'archives'

export interface Store {
  /** `host:port`. */
  readonly address: string
  /** Where its objects lie. */
  readonly folder: string
  readonly stop: () => void
}

/** In a folder that is given, which stays, or in one of its own. */
export async function startStore(given?: string): Promise<Store> {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'macaroond-s3-'))
  const program = await goTool(VERSITYGW)
  const [objects, metadata] = [join(folder, 'objects'), join(folder, 'metadata')]
  mkdirSync(join(objects, BUCKET), { recursive: true })
  mkdirSync(metadata, { recursive: true })
  const address = `127.0.0.1:${await freePort()}`
  const env = { ...process.env, ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY }
  const child = spawn(
    program,
    ['--quiet', '--keep-alive', '--port', address, 'posix', '--sidecar', metadata, objects],
    {
      env,
      stdio: 'ignore',
    },
  )
  await answers(address, child)
  const stop = (): void => {
    child.kill('SIGKILL')
    if (given === undefined) rmSync(folder, { recursive: true, force: true })
  }
  return { address, folder: join(objects, BUCKET), stop }
}

/** The URL of an archive in it: another folder for each. */
export function urlOf(address: string, folder: string, bucket: string = BUCKET): string {
  return `s3://${bucket}/${folder}?endpoint=http://${address}&region=us-east-1`
}

/** `wait` is none: what is tested is what is done again, not how much later. */
export function openBucket(url: string, options: Partial<S3ClientOptions> = {}): BucketStorage {
  const settings = parseS3Url(url, {})
  const credentials = (): ReturnType<typeof readCredentials> => readCredentials(KEYS)
  const wait = (): Promise<void> => Promise.resolve()
  return new BucketStorage({ settings, credentials, clock: systemClock, entropy: systemEntropy, wait, ...options })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answers(address: string, child: ChildProcess): Promise<void> {
  const [host = '', port] = address.split(':')
  for (const until = Date.now() + START_MS; Date.now() < until; await setTimeout(50)) {
    if (child.exitCode !== null) break
    const socket = connect({ host, port: Number(port) })
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (isThere) return
  }
  child.kill('SIGKILL')
  throw new Error(`versitygw did not start on ${address}`)
}
