/**
 * A replica whose history was undone with a million revocations in it: how long it is busy with them, and how long its longest
 * turn is, in time of its own thread, because other processes take the rest.
 */
import { join } from 'node:path'
import { createAuthorityDatabase } from '../../primary/store/create-database.ts'
import { Denials } from '../../replica/denials/denials.ts'
import { DenialReleaser } from '../../replica/denials/releaser.ts'
import { denialsInPages } from '../../replica/denials/undone.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { openReader, openWritable, type Database } from '../../shared/sqlite/open-database.ts'
import type { Plan } from './plan.ts'
import type { Row } from './report.ts'

const SECTION = 'Revocations of an undone history, at a replica'
const TURN_MS_MAX = 20
const OPTIONS = { entropy: systemEntropy, timers: systemClock }

export async function measureDenials(folder: string, { denials: { rows } }: Plan): Promise<Row[]> {
  const path = join(folder, 'denials')
  const [first, same] = [history(folder, 1, rows), history(folder, 2, rows)]
  const denials = new Denials({ path, ...OPTIONS })
  const kept = await turnsOf(() =>
    denials.keep(lazily(denialsInPages(first, new MetaReader(first).read())), { expected: rows }),
  )
  const startedMs = threadMs()
  const again = new Denials({ path, ...OPTIONS })
  const start = threadMs() - startedMs
  const meta = new MetaReader(same)
  const settling = {
    isEnforced: () => true,
    onForgotten: () => Promise.resolve(true),
    signal: new AbortController().signal,
  }
  const settlement = new DenialReleaser(again, systemEntropy, systemClock)
  const released = await turnsOf(() => settlement.release(same, { meta: meta.read(), forgotten: [] }, settling))
  for (const reader of [first, same]) reader.close()
  return [
    ...rowsOf(`${rows} kept before a snapshot`, kept),
    ...rowsOf(`${rows} let go of, held by the new pages`, released),
    { section: SECTION, name: `${rows} read at a start`, unit: 'ms', value: start },
  ]
}

interface Turns {
  readonly busyMs: number
  readonly longestMs: number
}

function rowsOf(name: string, { busyMs, longestMs }: Turns): Row[] {
  return [
    { section: SECTION, name: `${name}: busy`, unit: 'ms', value: busyMs },
    { section: SECTION, name: `${name}: longest turn`, unit: 'ms', value: longestMs, target: { atMost: TURN_MS_MAX } },
  ]
}

async function turnsOf(work: () => Promise<unknown>): Promise<Turns> {
  const startMs = threadMs()
  let [lastMs, longestMs, isOver] = [startMs, 0, false]
  const look = (): void => {
    const nowMs = threadMs()
    longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  await work()
  isOver = true
  return { busyMs: threadMs() - startMs, longestMs }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

function history(folder: string, number: number, rows: number): Database {
  const path = join(folder, `history-${number}.db`)
  const writer = openWritable(path)
  createAuthorityDatabase(writer, {
    cluster: 'bench',
    kek: kekFromHex('ab'.repeat(32)),
    clock: systemClock,
    entropy: systemEntropy,
  })
  const insert = writer.prepare("INSERT INTO revocations VALUES (?, 'token', 'acme', ?, 7, 0, 'operator', 'stolen')")
  const all = writer.transaction(() => {
    for (let seq = 1; seq <= rows; seq += 1) insert.run(seq, Buffer.from(seq.toString(16).padStart(48, '0'), 'hex'))
    const timeline = String(number).repeat(32)
    writer.prepare('UPDATE meta SET epoch = ?, timeline = ?, revocation_seq = ?').run(number, timeline, rows)
  })
  all()
  writer.close()
  return openReader(path)
}

async function* lazily<T>(batches: Iterable<T>): AsyncGenerator<T> {
  yield* batches
}
