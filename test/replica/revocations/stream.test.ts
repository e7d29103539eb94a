/** The stream of a real replica's tables and journal, on a real connection; the other end is a primary of a newer version. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { Freshness } from '../../../replica/freshness/freshness.ts'
import { LargestLease } from '../../../replica/freshness/largest-lease.ts'
import { RevocationJournal } from '../../../replica/revocations/journal.ts'
import { RevocationStream } from '../../../replica/revocations/stream.ts'
import { Tables } from '../../../replica/tables/tables.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { silentLog } from '../../../shared/log.ts'
import { encodeMessage } from '../../../shared/protocol/message.ts'
import type { RevocationsHello } from '../../../shared/protocol/revocations.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { pair, until } from '../../shared/channel/pair.ts'

const TIMELINE = 'a'.repeat(32)
const KID = '1'.repeat(16)
const KEK = kekFromHex('ab'.repeat(32))

function token(seq: number): Sent {
  return { seq, kind: 'token', kid: KID, nonce: seq.toString(16).padStart(32, '0'), expiresAt: 0 }
}

interface Node {
  readonly tables: Tables
  readonly stream: RevocationStream
  readonly hello: () => RevocationsHello
  readonly revoked: (seq: number) => boolean
  readonly close: () => void
}

/** Writes at once, and syncs only when it is let. */
class SlowDisk extends RevocationJournal {
  free: () => void = () => undefined
  readonly #freed = new Promise<void>((resolve) => (this.free = resolve))

  override async sync(): Promise<void> {
    await this.#freed
    await super.sync()
  }
}

function start(folder: string, journal: RevocationJournal = new RevocationJournal(join(folder, 'journal'))): Node {
  const tables = new Tables({
    cluster: 'test',
    ring: [KEK],
    entropy: systemEntropy,
    timers: systemClock,
    log: silentLog,
  })
  const freshness = new Freshness({
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    largestLease: new LargestLease(join(folder, 'lease.json')),
    issueClockMs: () => undefined,
    acceptClock: false,
    onSigned: () => undefined,
    onRenewed: () => undefined,
  })
  const stream = new RevocationStream({
    tables,
    journal,
    clock: systemClock,
    freshness,
    workers: freshness.workers,
    keks: ['00000000'],
    denials: { size: 0, numbered: () => [][Symbol.iterator]() as never },
    syncPages: () => undefined,
    onDiverged: () => undefined,
    onFatal: (error) => {
      throw error
    },
  })
  stream.observe(() => undefined)
  const nonceOf = (seq: number): string => seq.toString(16).padStart(32, '0')
  return {
    tables,
    stream,
    hello: () => stream.hello(),
    revoked: (seq) => tables.revoked(KID as never, nonceOf(seq) as never),
    close: () => {
      freshness.close()
      journal.close()
    },
  }
}

interface Sent {
  readonly seq: number
  readonly [field: string]: unknown
}

interface Primary {
  readonly send: (...rows: readonly Sent[]) => void
  /** What is not among the rows was purged. */
  readonly stretch: (after: number, rows: readonly object[], through: number) => void
  /** Numbers that were acknowledged, in their order. */
  readonly acks: readonly number[]
  readonly ended: () => boolean
  readonly hangUp: () => Promise<void>
}

/** Connects the node to a primary that has so many revocations. */
async function connect(node: Node, last: number): Promise<Primary> {
  const welcome = {
    timeline: TIMELINE,
    epoch: 1,
    seq: last,
    boot: 'b'.repeat(32),
    pingMs: 1000,
    boundMs: 5101,
    clockRateError: 0.005,
  }
  const { near, far } = await pair(
    { accept: () => ({ ok: true, welcome }) },
    { channel: 'revocations', hello: { ...node.hello() } },
  )
  const acks: number[] = []
  const stretch: Primary['stretch'] = (after, rows, through) => {
    void far.send(encodeMessage({ t: 'revoked', after, rows, through }))
  }
  const state = { ended: false }
  const following = node.stream.follow(near, new AbortController().signal).catch(() => undefined)
  void following.then(() => (state.ended = true))
  void collectAcks(far, acks)
  return {
    send: (...rows) => stretch((rows[0]?.seq ?? 1) - 1, rows, rows.at(-1)?.seq ?? 0),
    stretch,
    acks,
    ended: () => state.ended,
    hangUp: async () => {
      await far.close()
      await following
    },
  }
}

async function collectAcks(far: Connection, acks: number[]): Promise<void> {
  for await (const frame of far.messages()) {
    const message = JSON.parse(Buffer.from(frame).toString()) as { t: string; seq: number }
    if (message.t === 'ack') acks.push(message.seq)
  }
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-stream-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a revocation of an unknown kind is not acknowledged, ends no connection, and comes again', async () => {
  const path = folder()
  const node = start(path)
  const primary = await connect(node, 4)
  const device = { seq: 3, kind: 'device', device: { serial: [1, 2] } }
  primary.send(token(1))
  primary.send(token(2), device, token(4))
  await until(() => node.tables.uninterpretable !== undefined && primary.acks.includes(2))
  expect(node.tables.uninterpretable).toContain('revocation 3 is of kind "device"')
  // What comes later is neither acknowledged, and the connection is there.
  primary.send(token(5))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(Math.max(...primary.acks)).toBe(2)
  expect(primary.ended()).toBe(false)
  expect(node.hello().seq).toBe(2)
  await primary.hangUp()
  node.close()

  // The upgraded one: to it, the same number is a kind that it knows.
  const upgraded = start(path)
  expect([upgraded.revoked(1), upgraded.revoked(2), upgraded.tables.uninterpretable]).toEqual([true, true, undefined])
  expect(upgraded.hello()).toMatchObject({ timeline: TIMELINE, seq: 2 })
  const again = await connect(upgraded, 5)
  again.send({ seq: 3, kind: 'org_disabled', org: 'acme', expiresAt: 0 }, token(4), token(5))
  await until(() => again.acks.includes(5))
  expect([upgraded.revoked(4), upgraded.revoked(5), upgraded.tables.cutOffs.size]).toEqual([true, true, 1])
  await again.hangUp()
  upgraded.close()
})

test('a revocation is enforced at once, and acknowledged only once the disk has it', async () => {
  const path = folder()
  const disk = new SlowDisk(join(path, 'journal'))
  const node = start(path, disk)
  const primary = await connect(node, 1)
  primary.send(token(1))
  await until(() => node.revoked(1))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(primary.acks).toEqual([])
  disk.free()
  await until(() => primary.acks.includes(1))
  await primary.hangUp()
  node.close()
})

test('a primary whose successor wrote the pages gets no acknowledgement, and changes nothing', async () => {
  const path = folder()
  const node = start(path)
  const primary = await connect(node, 2)
  primary.send(token(1))
  await until(() => primary.acks.includes(1))
  const writer = openWritable(join(path, 'db'))
  createAuthorityDatabase(writer, { cluster: 'test', kek: KEK, clock: systemClock, entropy: systemEntropy })
  writer.exec("UPDATE meta SET epoch = 2, timeline = '" + 'c'.repeat(32) + "'")
  node.tables.attach({ reader: writer, meta: new MetaReader(writer) })
  primary.send(token(2))
  await until(() => primary.ended())
  expect([node.revoked(1), node.revoked(2), primary.acks.includes(2)]).toEqual([true, false, false])
  await primary.hangUp()
  node.close()
  writer.close()
})

test('a malformed record that names one token denies it and is acknowledged, with an alert', async () => {
  const node = start(folder())
  const primary = await connect(node, 2)
  primary.send({ ...token(1), expiresAt: 'never' }, token(2))
  await until(() => primary.acks.includes(2))
  expect([node.revoked(1), node.revoked(2)]).toEqual([true, true])
  expect(node.tables.poison).toContain('revocation 1 is malformed')
  expect(node.tables.uninterpretable).toBeUndefined()
  await primary.hangUp()
  node.close()
})

test('an unknown kind in the journal makes the node unavailable, and its hello asks from before', () => {
  const path = folder()
  const journal = new RevocationJournal(join(path, 'journal'))
  const rows = [token(1), { kind: 'unknown', seq: 2, record: { seq: 2, kind: 'device' } }, token(3)]
  journal.append({ timeline: TIMELINE as never, epoch: 1 as never }, rows as never)
  journal.close()
  const node = start(path)
  expect(node.tables.uninterpretable).toContain('"device"')
  expect(node.hello().seq).toBe(1)
  expect([node.revoked(1), node.revoked(3)]).toEqual([true, true])
  node.close()
})

test('a range with purged rows is acknowledged to its end, and the purged rows are not missed', async () => {
  const path = folder()
  const node = start(path)
  const primary = await connect(node, 20)
  primary.stretch(0, [token(3), token(7)], 7)
  await until(() => primary.acks.includes(7))
  expect([1, 2, 3, 4, 5, 6, 7].filter((seq) => node.revoked(seq))).toEqual([3, 7])
  // All that there was between was purged.
  primary.stretch(7, [], 12)
  primary.send(token(13))
  await until(() => primary.acks.includes(13))
  expect([node.hello().seq, node.revoked(13), primary.ended()]).toEqual([13, true, false])
  await primary.hangUp()
  node.close()

  // The journal does not say what was purged: that part of the log is asked for once more.
  const again = start(path)
  expect([3, 7, 13].every((seq) => again.revoked(seq))).toBe(true)
  const second = await connect(again, 20)
  second.stretch(again.hello().seq, [token(3), token(7), token(13)], 20)
  await until(() => second.acks.includes(20))
  await second.hangUp()
  again.close()
})

test('a part that does not continue the last one is a gap: none of it counts, the link ends', async () => {
  for (const [after, rows, through] of [
    [2, [token(3)], 3],
    [0, [token(1)], 1],
    [1, [token(4), token(3)], 4],
    [1, [token(5)], 4],
    [1, [], 1],
  ] as const) {
    const node = start(folder())
    const primary = await connect(node, 9)
    primary.send(token(1))
    await until(() => primary.acks.includes(1))
    primary.stretch(after, rows, through)
    await until(() => primary.ended())
    expect([node.hello().seq, [3, 4, 5].some((seq) => node.revoked(seq))]).toEqual([1, false])
    await primary.hangUp()
    node.close()
  }
})

test('a row that is not understood ends a stretch before it, whatever was purged between', async () => {
  const node = start(folder())
  const primary = await connect(node, 9)
  primary.stretch(0, [token(2), { seq: 6, kind: 'device' }, token(8)], 9)
  await until(() => primary.acks.includes(5))
  expect([node.hello().seq, node.revoked(2), primary.ended()]).toEqual([5, true, false])
  await primary.hangUp()
  node.close()
})
