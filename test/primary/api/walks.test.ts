import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { CountingApi } from '../../../primary/api/counting-api.ts'
import { namingStorageErrors } from '../../../primary/api/serve.ts'
import { Walks } from '../../../primary/api/walks.ts'
import type { IssuedCounter, CountQuery } from '../../../primary/store/issued-counter.ts'
import { Allowance } from '../../../shared/channel/allowance.ts'
import type { KnownPeer } from '../../../shared/channel/peers.ts'
import type { RpcCaller } from '../../../shared/channel/rpc-server.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import { COUNTS_WAITING_MAX, WALKS_WAITING_MAX } from '../../../shared/limits.ts'
import type { Log } from '../../../shared/log.ts'
import { freshState, NOW_MS } from '../authority/fixture.ts'

const NEVER = new AbortController().signal
const walker = (peerId: string, signal: AbortSignal = NEVER): { peerId: string; signal: AbortSignal } => ({
  peerId,
  signal,
})
const PEER = { id: 'p' as PeerIdText, name: 'p', role: 'signer', orgs: ['*'] } as KnownPeer

/** Walks that end when they are told to. */
function recorded(): {
  readonly walks: Walks
  readonly begun: string[]
  readonly begin: (name: string, signal?: AbortSignal) => Promise<unknown>
  readonly end: () => void
} {
  const walks = new Walks()
  const begun: string[] = []
  let end = (): void => undefined
  const begin = (name: string, signal?: AbortSignal): Promise<unknown> =>
    walks.run(walker(name, signal), () => {
      begun.push(name)
      return new Promise<void>((resolve) => (end = resolve))
    })
  return { walks, begun, begin, end: () => end() }
}

/** Of the loop: a walk that has ended, and the beginning of the next one. */
const settled = async (): Promise<void> => {
  for (let turns = 0; turns < 2; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('one walk goes at a time, and callers take turns', async () => {
  const { begun, begin, end } = recorded()
  for (const name of ['flood', 'flood', 'flood', 'honest']) void begin(name)
  await settled()
  expect(begun).toEqual(['flood'])
  for (let n = 0; n < 3; n += 1) {
    end()
    await settled()
  }
  expect(begun).toEqual(['flood', 'honest', 'flood', 'flood'])
})

test('between two walks everything else has its turn, however short they are', async () => {
  const { walks } = recorded()
  const order: string[] = []
  const short = Array.from({ length: 5 }, (_, n) =>
    walks.run(walker('flood'), async () => void order.push(`walk ${n}`)),
  )
  setImmediate(() => order.push('a ping'))
  await Promise.all(short)
  expect(order.slice(0, 2)).toEqual(['walk 0', 'a ping'])
})

test('the walk of a caller that is gone does not begin', async () => {
  const { begun, begin, end } = recorded()
  const leaving = new AbortController()
  void begin('first')
  const second = begin('second', leaving.signal)
  await settled()
  leaving.abort()
  end()
  await expect(second).rejects.toMatchObject({ code: 'closed' })
  expect(begun).toEqual(['first'])
})

test('the queue is bounded: beyond its limit the caller with the most calls is refused', async () => {
  const { begin } = recorded()
  const flood = Array.from({ length: WALKS_WAITING_MAX + 1 }, () => begin('flood'))
  void begin('honest')
  const refused = Promise.allSettled(flood)
  const last = flood.at(-1) as Promise<unknown>
  await expect(last).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 1_000 })
  void refused
})

test('a walk that throws before its first await fails its own caller, and the next one goes on', async () => {
  const walks = new Walks()
  const corrupt = new Sqlite.SqliteError('database disk image is malformed', 'SQLITE_CORRUPT')
  const failing = walks.run(walker('a'), () => {
    throw corrupt
  })
  const waiting = walks.run(walker('b'), async () => 'read')
  await expect(failing).rejects.toBe(corrupt)
  expect(await waiting).toBe('read')
  expect(await walks.run(walker('a'), async () => 'read again')).toBe('read again')
})

test('an error of SQLite reaches the caller of a call with a code, and the log', async () => {
  const logged: unknown[] = []
  const log = { error: (fields: unknown) => logged.push(fields) } as unknown as Log
  const failing = (code: string): Promise<unknown> =>
    namingStorageErrors(() => {
      throw new Sqlite.SqliteError('it cannot be read', code)
    }, log)(undefined, undefined as never) as Promise<unknown>
  await expect(failing('SQLITE_CORRUPT')).rejects.toMatchObject({ code: 'database_corrupt' })
  await expect(failing('SQLITE_IOERR_READ')).rejects.toMatchObject({ code: 'io_failed' })
  expect(logged).toMatchObject([{ error: { code: 'database_corrupt' } }, { error: { code: 'io_failed' } }])
  const other = new Error('another one')
  const thrown = namingStorageErrors(() => Promise.reject(other), log)(undefined, undefined as never)
  await expect(thrown).rejects.toBe(other)
  expect(logged).toHaveLength(2)
})

test('one walk serves all who wait; it stops without callers, and reads nothing before its turn', async () => {
  const walks = new Walks()
  const counts: (readonly CountQuery[])[] = []
  let aborted = 0
  const counter = {
    count: async (wanted: readonly CountQuery[], _: number, signal: AbortSignal) => {
      counts.push(wanted)
      await settled()
      if (signal.aborted) aborted += 1
      const result = { count: wanted.length, complete: true, nearest: [], lookAlikes: [] }
      return signal.aborted ? undefined : wanted.map(() => result)
    },
  } as unknown as IssuedCounter
  const api = new CountingApi({ state: freshState, counter, walks, clock: { wallMs: () => NOW_MS } })
  const first = walks.run(walker('other'), settled)
  const asked = Array.from({ length: 5 }, () => api.count(PEER, { org: 'acme' }, { signal: NEVER }))
  expect(counts).toEqual([])
  await first
  expect(await Promise.all(asked)).toEqual(
    Array.from({ length: 5 }, () => expect.objectContaining({ count: 5 }) as object),
  )
  expect(counts.length).toBe(1)

  const leaving = new AbortController()
  const lost = api.count(PEER, { org: 'acme' }, { signal: leaving.signal })
  while (counts.length < 2) await new Promise((resolve) => setImmediate(resolve))
  leaving.abort()
  await expect(lost).rejects.toMatchObject({ code: 'closed' })
  expect(aborted).toBe(1)

  void walks.run(walker('other'), () => new Promise(() => undefined))
  const many = Array.from({ length: COUNTS_WAITING_MAX }, () => api.count(PEER, { org: 'acme' }, { signal: NEVER }))
  void Promise.allSettled(many)
  await expect(api.count(PEER, { org: 'acme' }, { signal: NEVER })).rejects.toMatchObject({ code: 'overloaded' })
})

test('calls in flight are counted for a peer over all of its connections, until they are done', async () => {
  const allowance = new Allowance({ scanning: 2, reading: 1 })
  const ends: (() => void)[] = []
  const method = allowance.guarded('scanning', () => new Promise<void>((resolve) => ends.push(resolve)))
  const caller = (peerId: string, signal: AbortSignal = NEVER): RpcCaller =>
    ({ peerId: peerId as PeerIdText, remoteAddress: '', signal }) as const
  const gone = new AbortController()
  gone.abort()
  void method({}, caller('a', gone.signal))
  const second = method({}, caller('a'))
  await expect(method({}, caller('a'))).rejects.toMatchObject({ code: 'overloaded' })
  void method({}, caller('b'))
  await allowance.guarded('reading', () => undefined)({}, caller('a'))
  ends[1]?.()
  await second
  void method({}, caller('a'))
  expect(ends.length).toBe(4)
})
