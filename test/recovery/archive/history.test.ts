/**
 * For random histories: what the archive gives back for a transaction is, to the byte, the database as it was after it,
 * whatever was uploaded, merged, deleted or interrupted in between, and wherever the archiver was killed.
 */
import { readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFailed, test } from 'vitest'
import type { RetentionRules } from '../../../primary/archiver/files/retention-plan.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { Authority } from './authority.ts'

const STEPS = [
  'grow',
  'grow',
  'grow',
  'shrink',
  'upload',
  'upload',
  'merged',
  'compact 1',
  'compact 2',
  'compact 3',
  'snapshot',
  'retain',
  'restart',
  'checkpoint',
] as const
type Step = (typeof STEPS)[number]

/** Everything is younger than these, so nothing may become unreachable. */
const KEEP_ALL: RetentionRules = { windowMs: 1e9, keepMs: 1e9, filesMax: 1e9, bytesMax: 1e12 }

async function perform(authority: Authority, step: Step, retention: RetentionRules): Promise<void> {
  if (step === 'grow') return authority.grow(3)
  if (step === 'shrink') return authority.shrink()
  if (step === 'checkpoint') return authority.checkpoint()
  if (step === 'restart') return authority.claim()
  if (step === 'upload' || step === 'merged') return authority.upload(step === 'merged')
  if (step === 'snapshot') return authority.snapshot()
  if (step === 'retain') return authority.retain(retention)
  return authority.compact(Number(step.at(-1)))
}

const steps = fc.array(fc.constantFrom(...STEPS), { minLength: 5, maxLength: 40 })

/** Every recorded state since `sinceMs` that is archived comes back, by its number and by its moment. */
async function expectHistory(authority: Authority, sinceMs: number = 0): Promise<number> {
  let compared = 0
  for (const { txid, atMs, hash } of authority.recorded) {
    if (txid > authority.archived || atMs < sinceMs) continue
    expect(await authority.restored({ kind: 'txid', txid }), `transaction ${txid}`).toEqual({ txid, hash })
    if (txid % 3 === 0) expect(await authority.restored({ kind: 'time', atMs }), `at ${atMs}`).toEqual({ txid, hash })
    compared += 1
  }
  return compared
}

test('every transaction comes back through uploads, merging, snapshots, retention and restarts', async () => {
  let compared = 0
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const authority = await Authority.create()
      await authority.claim()
      // Merged uploads have a coarser grain on purpose, and are looked at below.
      for (const step of drawn) if (step !== 'merged') await perform(authority, step, KEEP_ALL)
      await authority.upload()
      compared += await expectHistory(authority)
    }),
    { numRuns: 8 },
  )
  expect(compared).toBeGreaterThan(20)
})

test('every state between two merged uploads comes back as one of them, and the plan says so', async () => {
  const authority = await Authority.create()
  await authority.claim()
  for (let round = 0; round < 4; round += 1) {
    for (let number = 0; number < 5; number += 1) authority.grow(1)
    await authority.upload(true)
  }
  const ends = [1, 6, 11, 16, 21]
  for (const { txid, atMs, hash } of authority.recorded) {
    const end = ends.findLast((one) => one <= txid) ?? 0
    const found = await authority.restored({ kind: 'time', atMs })
    expect(found.txid).toBe(end)
    if (txid === end) expect(found.hash).toBe(hash)
    else await expect(authority.restored({ kind: 'txid', txid })).rejects.toMatchObject({ code: 'restore_target' })
  }
})

test('after retention every transaction of the window still comes back', async () => {
  const rules: RetentionRules = { windowMs: 150, keepMs: 400, filesMax: 1e9, bytesMax: 1e12 }
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const authority = await Authority.create()
      await authority.claim()
      for (const step of drawn) if (step !== 'merged') await perform(authority, step, rules)
      await authority.upload()
      await perform(authority, 'compact 1', rules)
      await perform(authority, 'retain', rules)
      await expectHistory(authority, authority.nowMs - rules.windowMs)
    }),
    { numRuns: 6 },
  )
})

/** Dies at the n-th change of the archive: before it, or after it, and with nothing told. */
class Killer {
  #left = Infinity
  #after = false

  aim(left: number, after: boolean): void {
    this.#left = left
    this.#after = after
  }

  wrap(storage: ArchiveStorage): ArchiveStorage {
    return {
      location: storage.location,
      isBucket: storage.isBucket,
      list: (prefix) => storage.list(prefix),
      get: (key, range) => storage.get(key, range),
      put: (key, content, timestampMs) => this.#at(() => storage.put(key, content, timestampMs)),
      create: (...args) => this.#at(() => storage.create(...args)),
      delete: (key) => this.#at(() => storage.delete(key)),
      sweep: () => storage.sweep(),
    }
  }

  async #at<T>(work: () => Promise<T>): Promise<T> {
    this.#left -= 1
    if (this.#left < 0) throw new MacaroondError('archive_unavailable', 'killed')
    const result = await work()
    if (this.#left === 0 && this.#after) throw new MacaroondError('archive_unavailable', 'killed')
    return result
  }
}

/** What is known to be archived comes back although nothing was tidied up since the kill. */
async function expectNewest(authority: Authority): Promise<void> {
  const newest = authority.recorded.findLast(({ txid }) => txid <= authority.archived)
  if (newest === undefined) return
  const { txid, hash } = newest
  expect(await authority.restored({ kind: 'txid', txid })).toEqual({ txid, hash })
}

/** `ARCHIVE_KILLS=all` takes every change of the archive; else every third, from another one each time. */
const STRIDE = process.env['ARCHIVE_KILLS'] === 'all' ? 1 : 3

test('a restart after a kill at any archive change goes on, and every transaction comes back', async () => {
  const work: readonly Step[] = [
    'grow',
    'grow',
    'upload',
    'shrink',
    'grow',
    'upload',
    'compact 1',
    'snapshot',
    'grow',
    'upload',
    'compact 1',
    'compact 2',
    'retain',
  ]
  const rules: RetentionRules = { ...KEEP_ALL, windowMs: 45, keepMs: 1e9 }
  let kills = 0
  let left = 1 + Math.floor(Math.random() * STRIDE)
  onTestFailed(() => console.error(`it was kill ${left}`))
  for (; ; left += STRIDE) {
    const killer = new Killer()
    const authority = await Authority.create((storage) => killer.wrap(storage))
    await authority.claim()
    killer.aim(Math.ceil(left / 2), left % 2 === 0)
    let killed = false
    for (const step of work) {
      try {
        await perform(authority, step, rules)
      } catch (error) {
        expect(error).toMatchObject({ code: 'archive_unavailable' })
        killed = true
        killer.aim(Infinity, false)
        await authority.claim()
        await expectNewest(authority)
        await perform(authority, step, rules)
      }
    }
    await authority.upload()
    await expectHistory(authority, authority.nowMs - rules.windowMs)
    if (!killed) break
    kills += 1
  }
  expect(kills).toBeGreaterThan(24 / STRIDE)
}, 120_000)

test('flipped, cut, swapped, deleted and replayed files are each found and named, never restored', async () => {
  const authority = await Authority.create()
  await authority.claim()
  for (let number = 0; number < 6; number += 1) authority.grow(2)
  await authority.upload()
  const folder = join(authority.archive, 'ltx/0')
  const names = readdirSync(folder).toSorted()
  const path = (index: number): string => join(folder, names[index] ?? '')
  const originals = names.map((_, index) => readFileSync(path(index)))
  const last = authority.recorded.at(-1)!
  const damage: Record<string, () => void> = {
    'flipped bit in a page': () => writeFileSync(path(2), flip(originals[2]!, 300)),
    'flipped bit in the header': () => writeFileSync(path(2), flip(originals[2]!, 95)),
    cut: () => truncateSync(path(2), 500),
    longer: () => writeFileSync(path(2), Buffer.concat([originals[2]!, Buffer.alloc(3)])),
    swapped: () => writeFileSync(path(2), originals[3]!),
    deleted: () => rmSync(path(2)),
    empty: () => writeFileSync(path(2), ''),
  }
  for (const [what, harm] of Object.entries(damage)) {
    harm()
    const failure = await authority.restored({ kind: 'txid', txid: last.txid }).catch((error: unknown) => error)
    expect(failure, what).toMatchObject({ code: 'archive_damaged' })
    expect(String(failure), what).toContain(names[2])
    writeFileSync(path(2), originals[2]!)
    utimesSync(path(2), 1, 1)
  }
  // What is before it does not need it.
  rmSync(path(4))
  const before = authority.recorded[4]!
  expect((await authority.restored({ kind: 'txid', txid: before.txid })).hash).toBe(before.hash)
})

function flip(bytes: Buffer, at: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[at] = (flipped[at] ?? 0) ^ 1
  return flipped
}
