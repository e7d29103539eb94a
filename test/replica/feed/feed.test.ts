import { describe, expect, test } from 'vitest'
import { Feed } from '../../../replica/feed/feed.ts'
import { RecentRows } from '../../../replica/feed/recent-rows.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { Meta } from '../../../shared/database/meta.ts'
import { GrantBook } from '../../../shared/freshness/grant-book.ts'
import { PINGS_A_SECOND_MAX } from '../../../shared/freshness/ping-limit.ts'
import { epoch as asEpoch, timeline as asTimeline } from '../../../shared/ids.ts'
import { type FeedHello, toWorker, type ToWorker } from '../../../shared/protocol/feed.ts'
import { decodeMessage, encodeMessage } from '../../../shared/protocol/message.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { cleanup, clientIdentity, dialTo, type Server, serve, until } from '../../shared/channel/pair.ts'

const NOW_MS = 1_800_000_000_000
const PLACE = { epoch: asEpoch(1), timeline: asTimeline('a'.repeat(32)) }
const BOOT = '1'.repeat(32)
const READING = { monotonicMs: 0, boottimeMs: 0, wallMs: NOW_MS }

interface State {
  leaseMs: number
  seq: number
  doubt: string | undefined
}

/** A replica's feed whose lease, clock and revocations are what the test says, on a real listener. */
class Replica {
  readonly state: State = { leaseMs: 3_000, seq: 0, doubt: undefined }
  readonly rows = new RecentRows()
  readonly book = new GrantBook({
    clock: systemClock,
    earlierLeaseMs: 0,
    clockRateError: 0.005,
    hops: 1,
    holdersMax: 10,
  })
  readonly feed: Feed
  #server: Server | undefined

  constructor({ empty = false }: { readonly empty?: boolean } = {}) {
    const { state } = this
    const time = () =>
      state.doubt === undefined
        ? ({ credible: true, earliestMs: NOW_MS - 5, latestMs: NOW_MS } as const)
        : ({ credible: false, message: state.doubt } as const)
    const clocks = { now: () => READING, remainingMs: () => state.leaseMs, ageMs: () => 7, time }
    this.feed = new Feed({
      clock: systemClock,
      region: 'fra',
      tables: { meta: { txid: 70 } as Meta, uninterpretable: undefined },
      freshness: { ...clocks, boot: BOOT, pingMs: 250, workers: this.book },
      rows: this.rows,
      enforced: () => (empty ? undefined : { ...PLACE, seq: state.seq }),
    })
    cleanup(() => this.book.close())
  }

  async worker(hello: Partial<FeedHello> = {}): Promise<Worker> {
    return new Worker(await this.dial(hello))
  }

  async dial(hello: Partial<FeedHello> = {}): Promise<Connection> {
    this.#server ??= await serve({
      accept: (_peer, _channel, said) => this.feed.accept(said),
      onConnection: (connection) => void this.feed.serve(connection),
    })
    const said = { boot: 'b'.repeat(32), timeline: null, seq: 0, ...hello }
    return dialTo(this.#server.listener, { channel: 'feed', hello: said })
  }

  revoke(count = 1): void {
    for (let left = count; left > 0; left -= 1) {
      this.state.seq += 1
      this.rows.take(PLACE, { after: this.state.seq - 1, rows: [row(this.state.seq)], through: this.state.seq })
    }
    this.feed.notify()
  }
}

function row(seq: number): RevocationRow {
  return { seq, kind: 'token', kid: '0'.repeat(16), nonce: '0'.repeat(32), expiresAt: 0 }
}

class Worker {
  readonly connection: Connection
  readonly heard: ToWorker[] = []

  constructor(connection: Connection) {
    this.connection = connection
    void this.#read().catch(() => undefined)
  }

  say(message: object): void {
    this.connection.write(encodeMessage(message))
  }

  /** The next message of a kind. */
  async next<T extends ToWorker['t']>(t: T): Promise<Extract<ToWorker, { t: T }>> {
    const is = (message: ToWorker): message is Extract<ToWorker, { t: T }> => message.t === t
    await until(() => this.heard.some(is))
    const found = this.heard.splice(0, this.heard.findIndex(is) + 1).at(-1)
    if (found === undefined || !is(found)) throw new Error(`no ${t}`)
    return found
  }

  async #read(): Promise<void> {
    for await (const frame of this.connection.messages()) this.heard.push(decodeMessage(frame, toWorker))
  }
}

describe('a sub-lease', () => {
  test('is the rest of the replica’s own, with its age and believed time, and is in the book', async () => {
    const replica = new Replica()
    const worker = await replica.worker()
    worker.say({ t: 'ping', id: 1 })
    const granted = await worker.next('granted')
    expect(granted).toEqual({
      t: 'granted',
      id: 1,
      boot: BOOT,
      ...PLACE,
      seq: 0,
      txid: 70,
      leaseMs: 3_000,
      ageMs: 7,
      earliestMs: NOW_MS - 5,
      latestMs: NOW_MS,
    })
    expect(replica.book.coverage({ epoch: 1, seq: 1 })).toMatchObject([
      { peer: clientIdentity.peerId, boot: 'b'.repeat(32), how: 'pending' },
    ])
  })

  test.each([
    ['has no lease itself', { leaseMs: 0 }],
    ['doubts its clock', { doubt: 'it jumped' }],
  ])('is not given by a replica that %s', async (_, changes) => {
    const replica = new Replica()
    Object.assign(replica.state, changes)
    const worker = await replica.worker()
    worker.say({ t: 'ping', id: 1 })
    expect(await worker.next('granted')).toMatchObject({ leaseMs: 0 })
    expect(replica.book.coverage({ epoch: 1, seq: 1 })).toEqual([])
  })

  test('is given behind every revocation that is enforced here, however that one came', async () => {
    const replica = new Replica()
    const worker = await replica.worker()
    await worker.next('begin')
    replica.revoke(3)
    worker.say({ t: 'ping', id: 1 })
    await until(() => worker.heard.length === 2)
    expect(worker.heard).toMatchObject([{ t: 'revoked' }, { t: 'granted', seq: 3 }])
    worker.heard.length = 0
    // As from the journal at a start: there are no rows of it.
    replica.state.seq = 9
    worker.say({ t: 'ping', id: 2 })
    await until(() => worker.heard.length === 2)
    expect(worker.heard).toMatchObject([
      { t: 'begin', seq: 9 },
      { t: 'granted', seq: 9 },
    ])
  })

  test('is not given to a peer that asks more often than a worker does', async () => {
    const replica = new Replica()
    const worker = await replica.worker()
    const asked = PINGS_A_SECOND_MAX * 3
    for (let id = 1; id <= asked; id += 1) worker.say({ t: 'ping', id })
    await until(() => worker.heard.length > PINGS_A_SECOND_MAX)
    replica.revoke()
    await worker.next('revoked')
    expect(worker.heard.length).toBeLessThan(asked)
  })
})

describe('a worker', () => {
  test('goes on from where it is, and begins anew where that cannot be', async () => {
    const replica = new Replica()
    replica.revoke(5)
    const knows = await replica.worker({ timeline: PLACE.timeline, seq: 3 })
    expect(await knows.next('begin')).toMatchObject({ seq: 3 })
    expect((await knows.next('revoked')).rows.map(({ seq }) => seq)).toEqual([4, 5])
    for (const hello of [{}, { timeline: 'c'.repeat(32), seq: 3 }, { timeline: PLACE.timeline, seq: 6 }]) {
      expect(await (await replica.worker(hello)).next('begin')).toMatchObject({ seq: 5 })
    }
  })

  test('is covered when it says what it has applied, but not by what it was never sent', async () => {
    const replica = new Replica()
    const worker = await replica.worker()
    worker.say({ t: 'ping', id: 1 })
    await worker.next('granted')
    const how = () => replica.book.coverage({ epoch: 1, seq: 1 }).map((one) => one.how)
    worker.say({ t: 'ack', epoch: 1, seq: 1 })
    worker.say({ t: 'ack', epoch: 2, seq: 0 })
    worker.say({ t: 'ping', id: 2 })
    await worker.next('granted')
    replica.revoke()
    await worker.next('revoked')
    expect(how()).toEqual(['pending'])
    worker.say({ t: 'ack', epoch: 1, seq: 1 })
    await until(() => how()[0] === 'acknowledged')
  })

  test('that does not read is cut off, and costs no other worker anything', { timeout: 20_000 }, async () => {
    const replica = new Replica()
    const reader = await replica.worker()
    await reader.next('begin')
    const deaf = await replica.dial({ boot: 'd'.repeat(32) })
    await until(() => replica.feed.workers === 2)
    // Nobody reads from `deaf`: its queue fills up, then its socket, then the session waits, and nothing is kept for it.
    for (let round = 0; replica.feed.workers === 2 && round < 2_000; round += 1) {
      replica.revoke(2_000)
      await until(() => reader.heard.length > 0)
      reader.heard.length = 0
    }
    expect(replica.feed.workers).toBe(1)
    replica.revoke()
    expect((await reader.next('revoked')).rows.length).toBeGreaterThan(0)
    deaf.abort(new Error('the test is over'))
  })

  test('is refused while the replica is empty, or if it breaks the protocol', () => {
    const replica = new Replica()
    expect(replica.feed.accept({ boot: 'x' })).toMatchObject({ ok: false, error: { code: 'protocol_violation' } })
    const { feed } = new Replica({ empty: true })
    expect(feed.accept({ boot: 'b'.repeat(32), timeline: null, seq: 0 })).toMatchObject({
      ok: false,
      error: { code: 'position_unreached' },
    })
  })
})
