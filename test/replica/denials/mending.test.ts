/** S3 and S7 while a replica mends a damaged file: nothing that it refuses or acknowledged depends on memory alone. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock, turn } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { columnsOfRow, type Denial } from '../../../shared/protocol/denials.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { nonceOf } from '../tables-database.ts'
import { Disk, History, KID, newFolder } from './disk.ts'

const NEVER = new AbortController().signal
const PLACE = { timeline: timeline('1'.repeat(32)), epoch: epoch(1) }

const token = (seq: number): KnownRevocation => {
  return { seq, kind: 'token', kid: KID, nonce: nonceOf(seq), expiresAt: 0 }
}

function open(folder: string): Disk {
  const disk = new Disk(folder)
  let isOpen = true
  const close = disk.close.bind(disk)
  disk.close = () => {
    if (isOpen) close()
    isOpen = false
  }
  onTestFinished(() => disk.close())
  return disk
}

async function settled(history: History): Promise<Disk> {
  const disk = open(newFolder())
  await disk.install(history)
  await disk.settle()
  return disk
}

/** Changes the nonce of a row in a file. */
function damage(path: string, of: number): void {
  const bytes = readFileSync(path)
  const at = bytes.indexOf(nonceOf(of))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

/** Enforces a row and makes it durable, after which it is acknowledged. */
async function acknowledge(disk: Disk, seq: number): Promise<void> {
  disk.tables.add([token(seq)], seq, PLACE.timeline)
  disk.journal.append(PLACE, [token(seq)])
  await disk.journal.sync()
}

/** What a replica refuses after a SIGKILL of this one: nothing is saved. */
function refusedAfterKill(disk: Disk, tokens: readonly number[]): readonly boolean[] {
  disk.close()
  const again = open(disk.folder)
  return tokens.map((of) => again.refuses(of))
}

test('a revocation that is acknowledged while a damaged journal is mended stays', async () => {
  const disk = await settled(new History(1).revoke(1))
  await acknowledge(disk, 2)
  await acknowledge(disk, 3)
  const path = join(disk.folder, 'revocations.journal')
  damage(path, 2)
  const comparing = disk.keeper.compareTable(NEVER)
  await turn(systemClock)
  await acknowledge(disk, 4)
  expect(await comparing).toEqual({ missing: 0, unaccounted: 2 })
  expect(disk.journal.rows().map(({ seq }) => seq)).toEqual([4])
  expect(refusedAfterKill(disk, [1, 2, 3, 4, 5])).toEqual([true, true, true, true, false])
})

test('a row that is damaged while the journal is mended leaves the file to the next scrub', async () => {
  const disk = await settled(new History(1).revoke(1))
  await acknowledge(disk, 2)
  const path = join(disk.folder, 'revocations.journal')
  damage(path, 2)
  const comparing = disk.keeper.compareTable(NEVER)
  await turn(systemClock)
  const later = [token(3), token(4)]
  disk.tables.add(later, 4, PLACE.timeline)
  disk.journal.append(PLACE, later)
  damage(path, 3)
  const before = readFileSync(path)
  await comparing
  expect(readFileSync(path).equals(before)).toBe(true)
  expect(disk.alarms.get('refusals_rewritten journal')).toBeUndefined()
  await disk.keeper.compareTable(NEVER)
  expect(disk.alarms.get('refusals_rewritten journal')).toContain('damaged')
  expect(refusedAfterKill(disk, [1, 2, 3, 4])).toEqual([true, true, true, true])
})

test('pages that confirm rows of a damaged journal are durable before it is rewritten', async () => {
  const disk = await settled(new History(1).revoke(1))
  await acknowledge(disk, 2)
  const path = join(disk.folder, 'revocations.journal')
  const syncs: boolean[] = []
  const hasRow = (): boolean => readFileSync(path).includes('"seq":2')
  disk.onSyncPages = () => syncs.push(hasRow())
  await disk.keeper.compareTable(NEVER)
  expect(syncs).toEqual([])
  damage(path, 2)
  // Visible, and not synced yet.
  await disk.install(new History(1).revoke(1).revoke(2))
  expect(await disk.keeper.compareTable(NEVER)).toEqual({ missing: 0, unaccounted: 0 })
  expect([syncs, hasRow()]).toEqual([[true], false])
})

test('a token refused by name stays refused after a forget of a denial that covers it', async () => {
  const disk = await settled(new History(2).revoke(1))
  // The replica knows the org of the key.
  disk.tables.key = () => ({ org: 'acme' }) as never
  const cutOff = { seq: 3, kind: 'org', org: 'acme', untilMs: 5, expiresAt: 0 } as const
  disk.tables.deny([token(2), cutOff])
  await disk.denials.keep(batches([denialOf(token(2)), denialOf(cutOff)]))
  damage(join(disk.folder, 'denials'), 2)
  expect(await disk.keeper.compareTable(NEVER)).toEqual({ missing: 0, unaccounted: 2 })
  const org = [...disk.denials.numbered()].find(({ columns }) => columns['kind'] === 'org')!
  await disk.install(new History(2).revoke(1).forget(org.timeline, org.seq, org.seq))
  await disk.settle()
  expect([disk.tables.enforces(cutOff), disk.refuses(2)]).toEqual([false, true])
  expect(refusedAfterKill(disk, [1, 2])).toEqual([true, true])
})

test('a forget waits while the disk cannot read a page, and the replica goes on', async () => {
  const disk = await settled(new History(1).revoke(1).revoke(2))
  await disk.install(new History(2).revoke(1))
  await disk.settle()
  await disk.install(new History(2).revoke(1).forget('1'.repeat(32), 2, 2))
  const scrub = disk.copy.scrub.bind(disk.copy)
  disk.copy.scrub = () =>
    Promise.reject(new MacaroondError('io_failed', 'EIO while reading macaroond.db', { hint: '' }))
  await disk.settle()
  expect([disk.refuses(2), disk.denials.size, disk.fatal]).toEqual([true, 1, undefined])
  expect(disk.alarms.get('copy_damaged')).toContain('EIO')
  disk.copy.scrub = scrub
  await disk.settle()
  expect([disk.refuses(2), disk.denials.size, disk.alarms.get('copy_damaged')]).toEqual([false, 0, undefined])
})

const denialOf = (row: KnownRevocation): Denial => {
  return { ...PLACE, seq: row.seq, columns: columnsOfRow(row, 'acme') }
}

async function* batches(denials: readonly Denial[]): AsyncGenerator<readonly Denial[]> {
  yield denials
}
