/** The revocations that a replica reports to a restore: all of them, in parts. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { knownRevocations, type KnownSources } from '../../../replica/revocations/known.ts'
import { PageScrub } from '../../../replica/store/page-scrub.ts'
import { pause, systemClock } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { CONTROL_MESSAGE_BYTES_MAX } from '../../../shared/limits.ts'
import { columnsOfRow, type Denial } from '../../../shared/protocol/denials.ts'
import { type KnownAnswer, knownResult } from '../../../shared/protocol/known-revocations.ts'
import type { TokenRevocation } from '../../../shared/verifier/revocation-row.ts'
import { nonceOf } from '../tables-database.ts'
import { Disk, History, KID, newFolder, rot } from './disk.ts'

const token = (number: number): TokenRevocation => ({
  seq: number,
  kind: 'token',
  expiresAt: 0,
  kid: KID,
  nonce: nonceOf(number),
})

async function* denials(first: number, count: number, reason: string): AsyncGenerator<readonly Denial[]> {
  for (let number = first; number < first + count; number += 1) {
    const columns = { ...columnsOfRow(token(number), 'acme'), reason }
    yield [{ timeline: timeline('1'.repeat(32)), epoch: epoch(1), seq: number, columns }]
  }
}

const NOT_LOST = { textAt: () => undefined }

/** Numbers of the tokens, by the walk that macaroond 0.1.0 does as well. */
async function walk(
  disk: Disk,
  history: History,
  meanwhile: (call: number) => void | Promise<void> = () => undefined,
): Promise<Set<number>> {
  const pageScrub = new PageScrub({ copy: disk.copy, alarms: { set: () => undefined } })
  const source = { reader: history.writer, meta: new MetaReader(history.writer) }
  const found = new Set<number>()
  const add = (hex: string): unknown => found.add(Number.parseInt(hex.slice(16), 16))
  let call = 0
  for (let after: number | null = 0; after !== null; call += 1) {
    const sources = (): KnownSources => {
      const { generation, bytes } = disk.journal
      const journal = { path: join(disk.folder, 'revocations.journal'), generation, bytes }
      return {
        source,
        applied: undefined,
        denials: disk.denials,
        journal,
        lostJournal: NOT_LOST,
        pageScrub,
        timers: systemClock,
      }
    }
    const text = JSON.stringify(await knownRevocations(sources, { after }))
    expect(text.length).toBeLessThan(CONTROL_MESSAGE_BYTES_MAX / 2)
    const { rows, journal: ahead, next } = knownResult.parse(JSON.parse(text))
    for (const { key } of rows) add((key as { hex: string }).hex)
    for (const row of ahead) if (row.kind === 'token') add(row.kid + row.nonce)
    after = next
    await meanwhile(call)
  }
  expect(call).toBeGreaterThan(2)
  return found
}

const PLACE = { timeline: timeline('2'.repeat(32)), epoch: epoch(2) }
const numbers = (last: number): Set<number> => new Set(Array.from({ length: last }, (_, index) => index + 1))

test('8,000 rows of the journal, denials and pages come in parts, each far below the limit', async () => {
  const disk = new Disk(newFolder())
  onTestFinished(() => disk.close())
  const history = new History(2)
  history.revokeFrom(1, 600)
  for (let number = 601; number <= 8_600; number += 1_000)
    disk.journal.append(
      PLACE,
      Array.from({ length: 1_000 }, (_, index) => token(number + index)),
    )
  await disk.denials.keep(denials(8_601, 1_400, '\u0001'.repeat(500)))
  expect(await walk(disk, history)).toEqual(numbers(10_000))
})

test('rows that move to the pages or leave the denials during a request are still reported', async () => {
  const disk = new Disk(newFolder())
  onTestFinished(() => disk.close())
  const history = new History(2)
  await disk.denials.keep(denials(1_501, 500, ''))
  disk.journal.append(
    PLACE,
    Array.from({ length: 1_500 }, (_, index) => token(index + 1)),
  )
  const found = await walk(disk, history, (call) => {
    if (call !== 2) return
    // The pages have come to 1,000, and to what was denied: the journal is rewritten.
    history.revokeFrom(1, 1_500)
    disk.journal.dropInPages(PLACE.timeline, 1_500)
    disk.journal.append(PLACE, [token(2_001)])
  })
  expect(found).toEqual(numbers(2_001))
})

test.each([1, 2, 3])(
  'rows that move from the journal to the denials after call %i are still reported',
  async (moved) => {
    const disk = new Disk(newFolder())
    onTestFinished(() => disk.close())
    await disk.denials.keep(denials(1, 20, ''))
    disk.journal.append(
      PLACE,
      Array.from({ length: 1_500 }, (_, index) => token(index + 21)),
    )
    const found = await walk(disk, new History(3), async (call) => {
      if (call !== moved) return
      await disk.denials.keep(denials(21, 1_500, ''))
      disk.journal.dropBefore(epoch(3))
    })
    expect(found).toEqual(numbers(1_520))
  },
)

test.each([10, 40_000, 90_000])('damage of the journal at byte %i is an error, not the end of its rows', async (at) => {
  const disk = new Disk(newFolder())
  onTestFinished(() => disk.close())
  disk.journal.append(
    PLACE,
    Array.from({ length: 1_500 }, (_, index) => token(index + 1)),
  )
  expect(disk.journal.bytes).toBeGreaterThan(at + 1_000)
  const file = openSync(join(disk.folder, 'revocations.journal'), 'r+')
  writeSync(file, Buffer.alloc(1, 0xff), 0, 1, at)
  closeSync(file)
  await expect(walk(disk, new History(2))).rejects.toMatchObject({ code: 'log_corrupt' })
})

describe('pages that the disk changed', () => {
  /** A replica with 20 denials, one row in its journal and 100 in its pages, one of which the disk has changed. */
  async function rotten(): Promise<{ readonly call: (after: number, isUnreadTold?: boolean) => Promise<KnownAnswer> }> {
    const disk = new Disk(newFolder())
    onTestFinished(() => disk.close())
    await disk.install(new History(2).revokeFrom(1, 100))
    await disk.denials.keep(denials(201, 20, ''))
    disk.journal.append(PLACE, [token(101)])
    rot(disk.folder, 7)
    const pageScrub = new PageScrub({ copy: disk.copy, alarms: { set: () => undefined } })
    const sources = (): KnownSources => {
      const journal = { path: join(disk.folder, 'revocations.journal'), ...pick(disk.journal) }
      const { source } = disk.tables
      return {
        source,
        applied: disk.copy.applied,
        denials: disk.denials,
        journal,
        lostJournal: NOT_LOST,
        pageScrub,
        timers: systemClock,
      }
    }
    return { call: (after, isUnreadTold) => knownRevocations(sources, { after }, isUnreadTold) }
  }
  const pick = ({ generation, bytes }: Disk['journal']): Pick<Disk['journal'], 'generation' | 'bytes'> => {
    return { generation, bytes }
  }

  test('are an error', async () => {
    const { call } = await rotten()
    const walked = async (): Promise<void> => {
      for (let after: number | null = 0; after !== null;) after = (await call(after)).next
    }
    await expect(walked()).rejects.toMatchObject({ code: 'database_corrupt' })
  })

  test('are an error in a later walk too, while no snapshot has come', async () => {
    const { call } = await rotten()
    for (let walk = 0; walk < 2; walk += 1) {
      let unread: readonly string[] = []
      for (let after: number | null = 0; after !== null;) {
        const answer = await call(after, true)
        unread = [...unread, ...(answer.unread ?? [])]
        after = answer.next
      }
      expect(unread).toHaveLength(1)
    }
  })

  test('hide nothing else from a caller that asks what could not be read', async () => {
    const { call } = await rotten()
    const answers: KnownAnswer[] = []
    for (let after: number | null = 0; after !== null;) {
      const answer = await call(after, true)
      answers.push(answer)
      after = answer.next
    }
    const rows = answers.flatMap((answer) => [...answer.rows, ...answer.journal])
    expect([rows.length, answers.at(-1)?.position]).toEqual([21, null])
    expect(answers.flatMap(({ unread = [] }) => unread)).toEqual([expect.stringContaining('changed pages')])
  })
})

describe.each([
  ['at once', 0],
  ['after several calls', 700],
])('a sector of the pages that the disk cannot read, found %s', (_, afterMs) => {
  /** The same replica: its disk fails while the pages are compared. */
  async function failing(): Promise<{
    readonly call: (after: number) => Promise<KnownAnswer>
    readonly alarms: string[]
  }> {
    const disk = new Disk(newFolder())
    onTestFinished(() => disk.close())
    await disk.install(new History(2).revokeFrom(1, 100))
    await disk.denials.keep(denials(201, 20, ''))
    disk.journal.append(PLACE, [token(101)])
    const alarms: string[] = []
    const scrub = async (): Promise<never> => {
      await pause(systemClock, afterMs)
      throw new MacaroondError('io_failed', 'EIO while reading macaroond.db', { hint: '' })
    }
    const pageScrub = new PageScrub({
      copy: { applied: disk.copy.applied, scrub },
      alarms: { set: (code, detail) => void alarms.push(`${code}: ${detail}`) },
    })
    const sources = (): KnownSources => {
      const { generation, bytes } = disk.journal
      const journal = { path: join(disk.folder, 'revocations.journal'), generation, bytes }
      const { source } = disk.tables
      const { applied } = disk.copy
      return { source, applied, denials: disk.denials, journal, lostJournal: NOT_LOST, pageScrub, timers: systemClock }
    }
    return { call: (after) => knownRevocations(sources, { after }, true), alarms }
  }

  test('hides neither the denials nor the journal, and is an alarm', async () => {
    const { call, alarms } = await failing()
    const answers: KnownAnswer[] = []
    for (let after: number | null = 0; after !== null && answers.length < 20;) {
      const answer = await call(after)
      answers.push(answer)
      after = answer.next
    }
    expect(answers.flatMap((answer) => [...answer.rows, ...answer.journal])).toHaveLength(21)
    expect(answers.flatMap(({ unread = [] }) => unread)).toEqual([expect.stringContaining('cannot read pages')])
    expect(alarms).toEqual(['copy_damaged: EIO while reading macaroond.db'])
  })
})
