/** S3 on the disk of one replica: a history that is undone takes no refusal with it, whatever happens to the files meanwhile. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DenialReleaser } from '../../../replica/denials/releaser.ts'
import type { TableSource } from '../../../replica/tables/tables.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { Disk, History, KID, newFolder } from './disk.ts'

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
  const release = (reader: typeof writer): ReturnType<DenialReleaser['release']> =>
    releaser.release({ reader } as TableSource, new MetaReader(writer).read(), {
      onForgotten: () => Promise.resolve(),
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
