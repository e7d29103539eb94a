/**
 * A replica is killed at every call with which it changes its files while it takes a history that undoes a revocation, and
 * while it lets go of what that history holds. The kernel keeps what a killed process has written, so a copy of the folder
 * before each call is what SIGKILL there leaves.
 */
import fs, { cpSync, existsSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { AppliedState } from '../../../replica/follower/core.ts'
import { canMount, named, smallVolume } from '../../integration/cluster/small-volume.ts'

/** Which files were written, renamed and synced, in order. */
const touched: string[] = []
// Whoever syncs in the background keeps the function that there is when it is loaded.
const { fdatasync } = fs
fs.fdatasync = ((fd: number, done: fs.NoParamCallback) => {
  touched.push(`sync ${fileOf(fd)}`)
  fdatasync(fd, done)
}) as typeof fs.fdatasync
syncBuiltinESMExports()
const { Disk, History } = await import('../../replica/denials/disk.ts')

function fileOf(fd: unknown): string {
  return basename(readlinkSync(`/proc/self/fd/${String(fd)}`))
}

const WORDS: Readonly<Record<string, string>> = { writeSync: 'write', fdatasyncSync: 'sync', fsyncSync: 'sync' }

function note(name: string, [first]: readonly unknown[]): void {
  if (name in WORDS) touched.push(`${WORDS[name]} ${fileOf(first)}`)
  else touched.push(`${name} ${basename(String(first))}`)
}

const CALLS = ['writeSync', 'fdatasyncSync', 'fsyncSync', 'renameSync', 'rmSync', 'ftruncateSync'] as const

/** Runs `work` with a copy of the folder before each call; returns the copies, and which calls there were. */
async function copiesDuring(folder: string, work: () => Promise<void>): Promise<{ copies: string[]; calls: string[] }> {
  const copies: string[] = []
  const calls: string[] = []
  const plain = Object.fromEntries(CALLS.map((name) => [name, fs[name]]))
  let isCopying = false
  const wrap =
    (name: (typeof CALLS)[number]) =>
    (...args: readonly unknown[]): unknown => {
      if (!isCopying) {
        isCopying = true
        const copy = join(scratch(), String(copies.length))
        cpSync(folder, copy, { recursive: true })
        copies.push(copy)
        calls.push(name)
        note(name, args)
        isCopying = false
      }
      return (plain[name] as (...same: readonly unknown[]) => unknown)(...args)
    }
  Object.assign(fs, Object.fromEntries(CALLS.map((name) => [name, wrap(name)])))
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(fs, plain)
    syncBuiltinESMExports()
  }
  return { copies, calls }
}

let kept: string | undefined
function scratch(): string {
  if (kept !== undefined) return kept
  // Nothing here loses power: what is written need not reach a disk.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'macaroond-killed-'))
  kept = folder
  onTestFinished(() => {
    kept = undefined
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

test('a replica killed at any call while it takes another history refuses what that has undone', async () => {
  const folder = join(scratch(), 'replica')
  fs.mkdirSync(folder)
  const first = new History(1, scratch()).revoke(1).revoke(2)
  const second = new History(2, scratch()).revoke(1)
  const third = new History(3, scratch()).revoke(1).revoke(2)
  const disk = new Disk(folder)
  await disk.install(first)
  await disk.settle()
  const { copies, calls } = await copiesDuring(folder, async () => {
    await disk.install(second)
    await disk.settle()
    await disk.install(third)
    await disk.settle()
  })
  expect(disk.denials.size).toBe(0)
  disk.close()
  // The file of denials is written, renamed and deleted among them.
  expect(new Set(calls)).toEqual(new Set(['writeSync', 'fdatasyncSync', 'fsyncSync', 'renameSync', 'rmSync']))
  for (const [step, copy] of copies.entries()) {
    const survivor = new Disk(copy)
    expect(
      [1, 2, 3].map((of) => survivor.refuses(of)),
      `killed at call ${step}, ${calls[step]}`,
    ).toEqual([true, true, false])
    // It goes on, and another restart changes nothing.
    if ((survivor.copy.applied?.position.epoch ?? 0) < 2) await survivor.install(second)
    await survivor.settle()
    survivor.close()
    const again = new Disk(copy)
    expect(
      [1, 2, 3].map((of) => again.refuses(of)),
      `after call ${step}`,
    ).toEqual([true, true, false])
    again.close()
  }
  expect(copies.length).toBeGreaterThan(20)
}, 120_000)

test('the denials file and its folder are on the disk before the new history is recorded', async () => {
  const folder = join(scratch(), 'replica')
  fs.mkdirSync(folder)
  const disk = new Disk(folder)
  onTestFinished(() => disk.close())
  await disk.install(new History(1, scratch()).revoke(1).revoke(2))
  await disk.settle()
  touched.length = 0
  await copiesDuring(folder, () => disk.install(new History(2, scratch()).revoke(1)))
  const steps = ['sync denials.tmp', 'renameSync denials.tmp', 'sync replica', 'write position', 'sync position']
  const first = steps.map((step) => touched.indexOf(step))
  expect(first).toEqual(first.toSorted((a, b) => a - b))
  expect(first).not.toContain(-1)
  expect(touched.lastIndexOf('write denials.tmp')).toBeLessThan(first[0] ?? 0)
})

test.runIf(canMount)(
  `nothing is installed without room for the denials file, and with room nothing is lost${named}`,
  async () => {
    const folder = smallVolume(join(scratch(), 'replica'), 8 * 1024 * 1024)
    const disk = new Disk(folder)
    await disk.install(new History(1, scratch()).revokeFrom(1, 2_000))
    await disk.settle()
    const second = new History(2, scratch()).revoke(1)
    const filler = fill(join(folder, 'filler'))
    const before = disk.copy.applied
    const next = { position: { epoch: 2, txid: 9, checksum: 0n }, timeline: '2'.repeat(32) } as AppliedState
    const install = vi.fn<() => Promise<void>>()
    const replacement = { next, before, recorded: before }
    await expect(disk.keeper.keepThenInstall(replacement, install)).rejects.toMatchObject({ code: 'disk_full' })
    expect([disk.alarms.get('denials_not_kept') !== undefined, install.mock.calls]).toEqual([true, []])
    expect([fs.existsSync(join(folder, 'denials.tmp')), disk.refuses(2_000)]).toEqual([false, true])
    rmSync(filler)
    await disk.install(second)
    await disk.settle()
    disk.close()
    const again = new Disk(folder)
    onTestFinished(() => again.close())
    expect([again.denials.size, again.refuses(2_000), again.refuses(2_001)]).toEqual([1_999, true, false])
  },
)

/** But for less than the file takes. */
function fill(path: string): string {
  const [block, small] = [Buffer.alloc(1024 * 1024), Buffer.alloc(4096)]
  for (const piece of [block, small]) {
    for (;;) {
      try {
        fs.appendFileSync(path, piece)
      } catch {
        break
      }
    }
  }
  return path
}
