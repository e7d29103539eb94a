/** S3 on the disk of one replica: a history that is undone takes no refusal with it, whatever happens to the files meanwhile. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DenialReleaser } from '../../../replica/denials/releaser.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { readForgotten } from '../../../shared/database/forgotten.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import type { TokenRevocation } from '../../../shared/verifier/revocation-row.ts'
import { nonceOf } from '../tables-database.ts'
import { Disk, History, KID, newFolder, rot } from './disk.ts'

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

/** A replica that follows the second history, which lacks revocations 2 and 3 of the first. */
async function undone(folder: string, first = new History(1).revoke(1).revoke(2).revoke(3)): Promise<Disk> {
  const disk = open(folder)
  await disk.install(first)
  await disk.settle()
  await disk.install(new History(2).revoke(1))
  await disk.settle()
  return disk
}

const deniedBy = (disk: Disk): string[] => [...disk.denials.numbered()].map((one) => `${one.epoch}.${one.seq}`)

const YEARS_LATER_MS = 2_000_000_000_000
const EXPIRES_AT = 1_000

describe('a primary whose issue clock was years ahead', () => {
  /** The first history revokes 1 for ever and 2 for a short time; its issue clock is far ahead of this replica's time. */
  const ahead = (): History => {
    const history = new History(1).revoke(1).revoke(2, 2, EXPIRES_AT)
    history.writer.prepare('UPDATE meta SET issue_clock_ms = ?').run(YEARS_LATER_MS)
    return history
  }

  test('ends no refusal that its history had', async () => {
    const disk = open(newFolder())
    disk.latestMs = EXPIRES_AT * 1_000
    await disk.install(ahead())
    await disk.settle()
    await disk.install(new History(2).revoke(1))
    await disk.settle()
    expect(deniedBy(disk)).toEqual(['1.2'])
  })

  test('releases no denial until this replica believes that time too', async () => {
    const disk = open(newFolder())
    disk.latestMs = EXPIRES_AT * 1_000
    await disk.install(new History(1).revoke(1).revoke(2, 2, EXPIRES_AT))
    await disk.settle()
    const second = new History(2).revoke(1)
    second.writer.prepare('UPDATE meta SET issue_clock_ms = ?').run(YEARS_LATER_MS)
    await disk.install(second)
    await disk.settle()
    expect([deniedBy(disk), disk.refuses(2)]).toEqual([['1.2'], true])
    disk.latestMs = YEARS_LATER_MS
    await disk.install(new History(3).revoke(1))
    await disk.settle()
    expect(deniedBy(disk)).toEqual([])
  })
})

describe('a revocation that a later history lacks', () => {
  test('stays refused over restarts with all its columns, and rows in that history are not kept', async () => {
    const folder = newFolder()
    let disk = await undone(folder)
    for (let restart = 0; restart < 3; restart += 1) {
      expect([1, 2, 3, 4].map((of) => disk.refuses(of))).toEqual([true, true, true, false])
      expect(deniedBy(disk)).toEqual(['1.2', '1.3'])
      if (restart === 1) await disk.stop()
      else disk.close()
      disk = open(folder)
      await disk.settle()
    }
    expect([...disk.denials.numbered()][0]).toMatchObject({
      columns: { actor: 'operator', reason: 'stolen', at_ms: 7 },
    })
  })

  test('stays refused over a third history, and leaves when durable pages hold it', async () => {
    const disk = await undone(newFolder())
    await disk.install(new History(3).revoke(1).revoke(2, 3))
    expect(deniedBy(disk)).toEqual(['1.2', '1.3', '2.1'])
    await disk.settle()
    expect(deniedBy(disk)).toEqual(['1.2'])
    expect([2, 3].map((of) => disk.refuses(of))).toEqual([true, true])
  })

  test('is not kept where nothing that it names can live', async () => {
    const first = new History(1).revoke(1).revoke(2, 2, 1_000)
    first.writer.prepare('UPDATE meta SET issue_clock_ms = ?').run(2_000_000_000_000)
    const disk = await undone(newFolder(), first)
    expect(deniedBy(disk)).toEqual([])
    expect(existsSync(join(disk.folder, 'denials'))).toBe(false)
  })

  test('moves out of the journal, which keeps the rows of the present history only', async () => {
    const folder = newFolder()
    const disk = open(folder)
    await disk.install(new History(1).revoke(1))
    const row = { seq: 2, kind: 'token', kid: KID, nonce: '2'.padStart(32, '0'), expiresAt: 0 } as const
    disk.journal.append({ timeline: timeline('1'.repeat(32)), epoch: epoch(1) }, [row])
    disk.tables.deny([row])
    await disk.install(new History(2).revoke(1))
    expect(disk.journal.rows()).toEqual([row])
    await disk.settle()
    expect([disk.journal.rows(), deniedBy(disk), disk.refuses(2)]).toEqual([[], ['1.2'], true])
    disk.close()
    expect(open(folder).refuses(2)).toBe(true)
  })

  test('is let go of where an operator gave it up, in the file, the table and the saved table', async () => {
    const folder = newFolder()
    const disk = await undone(folder)
    await disk.tables.save()
    expect(existsSync(join(folder, 'revocations.table'))).toBe(true)
    const second = new History(2).revoke(1).forget('1'.repeat(32), 2, 2)
    await disk.install(second)
    await disk.settle()
    expect([deniedBy(disk), [1, 2, 3].map((of) => disk.refuses(of))]).toEqual([['1.3'], [true, false, true]])
    expect(existsSync(join(folder, 'revocations.table'))).toBe(false)
    await disk.stop()
    const again = open(folder)
    expect([1, 2, 3].map((of) => again.refuses(of))).toEqual([true, false, true])
    await again.install(second.revoke(2))
    expect(again.refuses(2)).toBe(true)
  })
})

test('a forget is carried out while earlier pages settle, even if nothing is written after it', async () => {
  const disk = await undone(newFolder())
  const second = new History(2).revoke(1).revoke(4)
  await disk.install(second)
  await disk.hold(async () => {
    disk.keeper.pagesDurable()
    await expect.poll(() => disk.held?.length).toBe(1)
    await disk.install(second.forget('1'.repeat(32), 2, 2))
    disk.keeper.pagesDurable()
  })
  await disk.keeper.idle()
  expect([deniedBy(disk), [2, 3].map((of) => disk.refuses(of))]).toEqual([['1.3'], [false, true]])
})

test('a forget in a history with as many of them as the one before is carried out', async () => {
  const disk = await undone(newFolder())
  await disk.install(new History(2).revoke(1).forget('1'.repeat(32), 2, 2))
  await disk.settle()
  await disk.install(new History(3).revoke(1).forget('1'.repeat(32), 3, 3))
  await disk.settle()
  expect([1, 2, 3].map((of) => disk.refuses(of))).toEqual([true, false, false])
})

test('a forget is carried out after a snapshot that could not be installed interrupted it', async () => {
  const disk = await undone(newFolder())
  await disk.install(new History(2).revoke(1).revoke(4).forget('1'.repeat(32), 2, 2))
  let installing: Promise<void> | undefined
  await disk.hold(async () => {
    disk.keeper.pagesDurable()
    await expect.poll(() => disk.held?.length).toBe(1)
    mkdirSync(join(disk.folder, 'denials.tmp'))
    installing = disk.install(new History(3).revoke(1))
  })
  await expect(installing).rejects.toMatchObject({ code: 'io_failed' })
  rmSync(join(disk.folder, 'denials.tmp'), { recursive: true })
  await disk.settle()
  expect([2, 3].map((of) => disk.refuses(of))).toEqual([false, true])
})

test('a forget is carried out after a read error interrupted it', async () => {
  const disk = await undone(newFolder())
  const { writer } = new History(2).revoke(1).forget('1'.repeat(32), 2, 2)
  const releaser = new DenialReleaser(disk.denials, systemEntropy, systemClock)
  const failing = new Proxy(writer, {
    get: (db, name: keyof typeof writer) =>
      name === 'prepare'
        ? (sql: string) => {
            if (sql.includes('FROM revocations')) throw new Error('the disk cannot be read')
            return db.prepare(sql)
          }
        : db[name],
  })
  const meta = new MetaReader(writer).read()
  const durable = { meta, forgotten: readForgotten(writer, meta.schema) }
  const release = (reader: typeof writer): ReturnType<DenialReleaser['release']> =>
    releaser.release(reader, durable, {
      isEnforced: () => true,
      onForgotten: () => Promise.resolve(true),
      signal: new AbortController().signal,
    })
  await expect(release(failing)).rejects.toThrow('cannot be read')
  expect(await release(writer)).toMatchObject({ forgotten: 1 })
})

test('a revocation that a full disk kept out of the journal is kept with the undone history', async () => {
  const folder = newFolder()
  const disk = open(folder)
  await disk.install(new History(1).revoke(1))
  const row = { seq: 2, kind: 'token', kid: KID, nonce: '2'.padStart(32, '0'), expiresAt: 0 } as const
  disk.tables.deny([row])
  disk.unwritten = { timeline: timeline('1'.repeat(32)), epoch: epoch(1), rows: [row] }
  await disk.install(new History(2).revoke(1))
  disk.unwritten = undefined
  await disk.settle()
  expect(deniedBy(disk)).toEqual(['1.2'])
  disk.close()
  expect(open(folder).refuses(2)).toBe(true)
})

test('without room for what is denied the snapshot is not installed, and an alarm says so', async () => {
  const disk = open(newFolder())
  await disk.install(new History(1).revoke(1).revoke(2))
  mkdirSync(join(disk.folder, 'denials.tmp'))
  const second = new History(2).revoke(1)
  await expect(disk.install(second)).rejects.toMatchObject({ code: 'io_failed' })
  expect([disk.alarms.get('denials_not_kept') !== undefined, disk.copy.applied?.position.epoch]).toEqual([true, 1])
  rmSync(join(disk.folder, 'denials.tmp'), { recursive: true })
  await disk.install(second)
  expect([disk.alarms.get('denials_not_kept'), disk.copy.applied?.position.epoch]).toEqual([undefined, 2])
  expect(disk.refuses(2)).toBe(true)
})

describe('pages that the disk changed while the replica runs', () => {
  /** Follows the first history with 101 revocations; SQLite has no page of it in its cache. */
  async function rotten(folder: string): Promise<Disk> {
    const disk = open(folder)
    const first = new History(1).revokeFrom(1, 100)
    await disk.install(first)
    await disk.install(first.revoke(101))
    await disk.settle()
    rot(folder, 2)
    return disk
  }

  test('take no refusal with them when their history is undone, and add none', async () => {
    const folder = newFolder()
    const disk = await rotten(folder)
    await disk.install(new History(2).revoke(1))
    await disk.settle()
    expect([disk.denials.size, [2, 3, 101].map((of) => disk.refuses(of))]).toEqual([100, [true, true, true]])
    disk.close()
    const again = open(folder)
    expect([2, 3, 101, 0x82].map((of) => again.refuses(of))).toEqual([true, true, true, false])
  })

  test('decide nothing about what an operator gave up, until a snapshot has replaced them', async () => {
    const disk = await undone(newFolder())
    disk.found = 'damaged'
    const second = new History(2).revoke(1).forget('1'.repeat(32), 2, 2)
    await disk.install(second)
    await disk.settle()
    expect([deniedBy(disk), disk.refuses(2)]).toEqual([['1.2', '1.3'], true])
    disk.found = undefined
    await disk.install(second.revoke(4))
    await disk.settle()
    expect([deniedBy(disk), disk.refuses(2), disk.refuses(3)]).toEqual([['1.3'], false, true])
  })
})

describe('a file that the disk changed while the replica runs', () => {
  const NEVER = new AbortController().signal
  const flip = (path: string, at: number): void => {
    const bytes = readFileSync(path)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    writeFileSync(path, bytes)
  }
  const token = (of: number, seq = of): TokenRevocation => {
    return { seq, kind: 'token', kid: KID, nonce: nonceOf(of), expiresAt: 0 }
  }

  test.each([20, 100, 300])('its denials, at byte %i: a scrub writes them again, and an alarm says so', async (at) => {
    const folder = newFolder()
    const disk = await undone(folder)
    flip(join(folder, 'denials'), at)
    expect(await disk.keeper.compareTable(NEVER)).toMatchObject({ missing: 0 })
    expect(disk.alarms.get('refusals_rewritten denials')).toContain('damaged')
    disk.close()
    const again = open(folder)
    expect([1, 2, 3, 4].map((of) => again.refuses(of))).toEqual([true, true, true, false])
    expect(await again.keeper.compareTable(NEVER)).toEqual({ missing: 0, unaccounted: 0 })
    expect(again.alarms.get('refusals_rewritten denials')).toBeUndefined()
  })

  test('its journal: a scrub keeps the lost rows as denials, and rewrites it', async () => {
    const folder = newFolder()
    const disk = open(folder)
    await disk.install(new History(1).revoke(1))
    disk.tables.deny([token(2), token(3)])
    disk.journal.append({ timeline: timeline('1'.repeat(32)), epoch: epoch(1) }, [token(2)])
    const sound = disk.journal.bytes
    disk.journal.append({ timeline: timeline('1'.repeat(32)), epoch: epoch(1) }, [token(3)])
    flip(join(folder, 'revocations.journal'), sound + 20)
    expect(await disk.keeper.compareTable(NEVER)).toEqual({ missing: 0, unaccounted: 1 })
    expect(disk.alarms.get('refusals_rewritten journal')).toContain('damaged')
    expect([disk.journal.rows().map(({ seq }) => seq), disk.denials.size]).toEqual([[2], 1])
    disk.close()
    const again = open(folder)
    expect([1, 2, 3, 4].map((of) => again.refuses(of))).toEqual([true, true, true, false])
  })

  test('its denials, before a release: they are written again first, and nothing ends the node', async () => {
    const disk = await undone(newFolder())
    flip(join(disk.folder, 'denials'), 100)
    await disk.install(new History(2).revoke(1).revoke(4).forget('1'.repeat(32), 2, 2))
    await disk.settle()
    // Their numbers are lost, so the forget does not name them any more.
    expect([2, 3].map((of) => disk.refuses(of))).toEqual([true, true])
    expect(disk.denials.size).toBe(2)
    disk.close()
    const again = open(disk.folder)
    expect([1, 2, 3, 4].map((of) => again.refuses(of))).toEqual([true, true, true, true])
  })

  test('its denials and its journal, before another history: everything is kept', async () => {
    const disk = await undone(newFolder())
    disk.tables.deny([token(7, 2)])
    disk.journal.append({ timeline: timeline('2'.repeat(32)), epoch: epoch(2) }, [token(7, 2)])
    flip(join(disk.folder, 'revocations.journal'), 100)
    flip(join(disk.folder, 'denials'), 100)
    await disk.install(new History(3))
    await disk.settle()
    disk.close()
    // The journal is damaged in the middle of its last row, which a crash could have torn.
    const again = open(disk.folder)
    expect([1, 2, 3, 7, 8].map((of) => again.refuses(of))).toEqual([true, true, true, true, false])
  })
})

test('a revocation that a broader one covers is no denial again after a scrub', async () => {
  const disk = open(newFolder())
  await disk.install(new History(1).disableOrg(1))
  disk.tables.deny([{ seq: 1, kind: 'org_disabled', org: 'other', expiresAt: 0 }])
  expect(await disk.keeper.compareTable(new AbortController().signal)).toEqual({ missing: 0, unaccounted: 1 })
  disk.tables.deny([{ seq: 1, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 5, expiresAt: 0 }])
  expect(await disk.keeper.compareTable(new AbortController().signal)).toEqual({ missing: 0, unaccounted: 0 })
  expect(disk.denials.size).toBe(1)
})

test('a forget takes nothing out of the table but what it names', async () => {
  const disk = await undone(newFolder())
  const row = { seq: 9, kind: 'token', kid: KID, nonce: nonceOf(9), expiresAt: 0 } as const
  const cutOff = { seq: 9, kind: 'org', org: 'acme', untilMs: 5, expiresAt: 0 } as const
  // No file has these two.
  disk.tables.deny([row, cutOff])
  await disk.install(new History(2).revoke(1).forget('1'.repeat(32), 2, 2))
  await disk.settle()
  expect([2, 3, 9].map((of) => disk.refuses(of))).toEqual([false, true, true])
  expect(disk.tables.enforces(cutOff)).toBe(true)
})

describe('an undone history with damaged pages', () => {
  function damage(folder: string): void {
    const path = join(folder, 'macaroond.db')
    const bytes = readFileSync(path)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(path, bytes)
  }

  async function stopped(folder: string): Promise<void> {
    const disk = open(folder)
    await disk.install(new History(1).revoke(1).revoke(2).revoke(3))
    await disk.copy.checkpoint()
    await disk.stop()
  }

  /** As after kill -9: the page of revocation 500 is zeros, and no table was saved. Names of the folder and the reopened disk. */
  async function withGap(saved = false): Promise<{ readonly folder: string; readonly disk: Disk }> {
    const folder = newFolder()
    const first = open(folder)
    await first.install(new History(1).revokeFrom(1, 1_000))
    await first.copy.checkpoint()
    if (saved) await first.tables.save()
    first.close()
    const path = join(folder, 'macaroond.db')
    const bytes = readFileSync(path)
    const at = bytes.indexOf(Buffer.from(KID + nonceOf(500), 'hex'))
    writeFileSync(path, bytes.fill(0, at - (at % 4096), at - (at % 4096) + 4096))
    return { folder, disk: open(folder) }
  }

  test('that hide some of its rows: it stays until an operator takes the damaged folder away', async () => {
    const { folder, disk } = await withGap()
    const second = new History(2)
    await expect(disk.install(second)).rejects.toMatchObject({
      code: 'history_unread',
      message: expect.stringMatching(/^revocations \d+ to 5\d\d cannot be read from .*damaged-1-/) as string,
    })
    expect(disk.alarms.get('denials_unread')).toMatch(/^revocations/)
    expect([1, 500, 1_000, 1_001].map((of) => disk.refuses(of))).toEqual([true, false, true, false])
    expect(disk.copy.applied).toBeUndefined()
    disk.close()
    const aside = readdirSync(folder).find((name) => name.startsWith('damaged-')) ?? ''
    rmSync(join(folder, aside), { recursive: true })
    const again = open(folder)
    await again.install(second)
    expect(again.copy.applied?.position.epoch).toBe(2)
  })

  test('that hide some of its rows, all of which the saved table has', async () => {
    const { disk } = await withGap(true)
    await disk.install(new History(2))
    await disk.settle()
    expect([1, 500, 1_000, 1_001].map((of) => disk.refuses(of))).toEqual([true, true, true, false])
    expect(disk.denials.size).toBe(1_000)
    expect(disk.alarms.get('denials_unproven')).toBeUndefined()
  })

  test('that hide some of its rows, where the snapshot is of the same history', async () => {
    const { disk } = await withGap()
    await disk.install(new History(1).revokeFrom(1, 1_000))
    await disk.settle()
    expect([disk.refuses(500), disk.denials.size, disk.alarms.get('denials_unread')]).toEqual([true, 0, undefined])
  })

  test('that can all be read: they are kept, and an alarm says that nothing proves them', async () => {
    const folder = newFolder()
    await stopped(folder)
    damage(folder)
    rmSync(join(folder, 'revocations.table'))
    const disk = open(folder)
    await disk.install(new History(2))
    expect([disk.refuses(3), disk.alarms.get('denials_unproven')]).toEqual([
      true,
      expect.stringMatching(/^revocations 1 to 3 of/),
    ])
  })

  test.each(['the database that was moved aside', 'the saved table'])('its rows come from %s', async (from) => {
    const folder = newFolder()
    await stopped(folder)
    damage(folder)
    const disk = open(folder)
    expect(disk.copy.applied).toBeUndefined()
    const aside = readdirSync(folder).find((name) => name.startsWith('damaged-')) ?? ''
    if (from === 'the saved table') rmSync(join(folder, aside), { recursive: true })
    else rmSync(join(folder, 'revocations.table'))
    await disk.install(new History(2).revoke(1))
    expect([1, 2, 3, 4].map((of) => disk.refuses(of))).toEqual([true, true, true, false])
    await disk.settle()
    expect([1, 2, 3, 4].map((of) => disk.refuses(of))).toEqual([true, true, true, false])
    disk.close()
    const again = open(folder)
    expect([1, 2, 3, 4].map((of) => again.refuses(of))).toEqual([true, true, true, false])
  })

  test('its rows come from the table in memory where the scrub found the damage', async () => {
    const folder = newFolder()
    const disk = open(folder)
    await disk.install(new History(1).revoke(1).revoke(2))
    await disk.copy.checkpoint()
    damage(folder)
    expect(await disk.copy.scrub(new AbortController().signal)).toBe('damaged')
    await disk.install(new History(2).revoke(1))
    await disk.settle()
    disk.close()
    const again = open(folder)
    expect([1, 2].map((of) => again.refuses(of))).toEqual([true, true])
  })
})
