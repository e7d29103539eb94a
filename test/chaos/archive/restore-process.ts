/** `macaroond restore` as a process of its own, with or without strace on all of its threads, and what it leaves. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../../shared/crypto.ts'
import { PAGE_BYTES } from '../../../shared/limits.ts'
import { PROGRAM } from '../../integration/cli/command.ts'
import { openSound } from '../disk.ts'
import { readTrace, type TracedCall } from './thread-strace.ts'

export const RESTORE_SYSCALLS = [
  'pwrite64',
  'fsync',
  'fdatasync',
  'ftruncate',
  'rename',
  'link',
  'unlink',
  'unlinkat',
  'rmdir',
  'mkdir',
] as const

export interface Injection {
  readonly syscall: string
  /** Counted from 1, in each thread by itself. */
  readonly nth: number
  readonly what: 'signal=SIGKILL' | 'error=EIO' | 'error=ENOSPC'
  /** The calls that follow fail as well: a full disk stays full. */
  readonly onwards: boolean
}

export interface RestoreOptions {
  readonly archive: string
  readonly key: string
  readonly txid: number
  readonly folder: string
}

export interface RestoreRun {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly trace: readonly TracedCall[]
}

export function outputOf(folder: string): string {
  return join(folder, 'restored.db')
}

/** `strace`: undefined for none of it, null to trace without harm. */
export async function runRestore(options: RestoreOptions, strace?: Injection | null): Promise<RestoreRun> {
  const { archive, key, txid, folder } = options
  const args = ['restore', '--archive', archive, '--key', key, '--txid', String(txid), '--accept-head']
  return runTraced([...args, '--output', outputOf(folder)], `${folder}.trace`, strace)
}

/** A command line, whose calls are written to the file `output`. */
export async function runTraced(
  args: readonly string[],
  output: string,
  strace?: Injection | null,
): Promise<RestoreRun> {
  const words = [process.execPath, PROGRAM, ...args, '--json']
  rmSync(output, { force: true })
  const [command, ...rest] = strace === undefined ? words : [...straceWords(output, strace), ...words]
  const { MACAROOND_PROFILE: _, ...env } = process.env
  const child = spawn(command ?? '', rest, {
    env: { ...env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { status, signal, stdout, stderr, trace: readTrace(output) }
}

function straceWords(output: string, injection: Injection | null): readonly string[] {
  const trace = ['strace', '-f', '-qq', '-y', '-s', '0', '-o', output, '-e', `trace=${RESTORE_SYSCALLS.join(',')}`]
  if (injection === null) return trace
  const { syscall, nth, what, onwards } = injection
  return [...trace, '-e', `inject=${syscall}:${what}:when=${nth}${onwards ? '+' : ''}`]
}

/** How often each call is made, in the thread that makes it most. */
export function countCalls(trace: readonly TracedCall[]): ReadonlyMap<string, number> {
  const byThread = new Map<string, number>()
  const most = new Map<string, number>()
  for (const { syscall, text } of trace) {
    const key = `${/^\d+/.exec(text)?.[0]} ${syscall}`
    const count = (byThread.get(key) ?? 0) + 1
    byThread.set(key, count)
    most.set(syscall, Math.max(count, most.get(syscall) ?? 0))
  }
  return most
}

/** Drawn anew by every restore, and what is computed from that. */
const DRAWN: ReadonlySet<string> = new Set(['timeline', 'at_ms', 'audit_head', 'hash', 'detail'])

/** Every row of every table, without what is drawn anew. Read from a copy: who opens a database leaves files beside it. */
export function contentOf(database: string, scratch: string): string {
  const folder = mkdtempSync(join(scratch, 'content-'))
  const copy = join(folder, 'copy.db')
  copyFileSync(database, copy)
  const db = openSound(copy)
  try {
    const tables = db
      .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .pluck()
      .all()
    const rows = tables.map((table) => [table, db.prepare(`SELECT * FROM "${table}"`).all()])
    const text = JSON.stringify(rows, (name, value: unknown) => (DRAWN.has(name) ? undefined : value))
    return sha256(Buffer.from(text)).toString('hex')
  } finally {
    db.close()
    rmSync(folder, { recursive: true })
  }
}

/** Numbers of the pages that differ; NaN among them where the sizes do. */
export function differingPages(one: string, other: string): readonly number[] {
  const [a, b] = [readFileSync(one), readFileSync(other)]
  if (a.length !== b.length) return [Number.NaN]
  const pages = Array.from({ length: a.length / PAGE_BYTES }, (_, index) => index)
  const page = (bytes: Buffer, index: number): Buffer => bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES)
  return pages.filter((index) => !page(a, index).equals(page(b, index)))
}

/** Names, contents and times of everything under a folder. */
export function fingerprint(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()
  const entries = names.map((name) => {
    const path = join(folder, name)
    const stats = lstatSync(path)
    return [name, stats.mtimeMs, stats.isFile() ? sha256(readFileSync(path)).toString('hex') : '']
  })
  return JSON.stringify(entries)
}

export function freshFolder(parent: string, name: string): string {
  const folder = join(parent, name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  return folder
}
