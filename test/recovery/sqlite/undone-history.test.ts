/**
 * A replica is killed at every call with which it changes its files while it takes a history that undoes a revocation, and
 * while it lets go of what that history holds. The kernel keeps what a killed process has written, so a copy of the folder
 * before each call is what SIGKILL there leaves.
 */
import fs, { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Disk, History } from '../../replica/denials/disk.ts'

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

test('a replica killed at any call while it takes another history refuses what that history has undone', async () => {
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
    if ((survivor.copy.standing?.position.epoch ?? 0) < 2) await survivor.install(second)
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
