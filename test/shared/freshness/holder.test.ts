import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClockReading } from '../../../shared/freshness/clock-reading.ts'
import {
  ageMs,
  remainingMs,
  startHolder,
  stepHolder,
  type Applied,
  type Grant,
  type HolderEvent,
  type HolderState,
} from '../../../shared/freshness/holder.ts'

const OURS = 'a'.repeat(32)
const THEIRS = 'b'.repeat(32)
const BOOT = '1'.repeat(32)
const LEASE_MS = 5_000

function at(ms: number, jumps: { readonly wall?: number; readonly slept?: number } = {}): ClockReading {
  return { monotonicMs: ms, boottimeMs: 100 + ms + (jumps.slept ?? 0), wallMs: 1e12 + ms + (jumps.wall ?? 0) }
}

function grant(id: number, changes: Partial<Grant> = {}): Grant {
  return { id, boot: BOOT, epoch: 1, timeline: OURS, seq: 7, txid: 70, leaseMs: LEASE_MS, ...changes }
}

const ALL: Applied = { timeline: OURS, seq: 7, pages: { timeline: OURS, txid: 70 } }
const BEHIND: Applied = { ...ALL, seq: 6 }

function run(...events: readonly (readonly [number, HolderEvent])[]): HolderState {
  const start = startHolder({ needsPages: true })
  return events.reduce((state, [ms, event]) => stepHolder(state, event, at(ms)), start)
}

const connected: HolderEvent = { kind: 'connected', grantor: BOOT }
const pinged: HolderEvent = { kind: 'pinged' }
const granted = (of: Grant, applied: Applied = ALL): HolderEvent => ({ kind: 'granted', grant: of, applied })
const applied = (has: Applied): HolderEvent => ({ kind: 'applied', applied: has })

test('a lease runs from the moment its ping was sent, however late the answer comes', () => {
  const state = run([0, connected], [1_000, pinged], [4_000, granted(grant(1))])
  expect(remainingMs(state, at(4_000))).toBe(2_000)
  expect(remainingMs(state, at(5_999))).toBe(1)
  expect(remainingMs(state, at(6_000))).toBe(0)
  expect(remainingMs(state, at(60_000))).toBe(0)
  expect(ageMs(state, at(60_000))).toBe(59_000)
})

test('without an answer there is no lease, and no age', () => {
  const state = run([0, connected], [0, pinged])
  expect(remainingMs(state, at(1))).toBe(0)
  expect(ageMs(state, at(1))).toBe(Infinity)
})

test('an answer after the end of its lease gives none', () => {
  const state = run([0, connected], [0, pinged], [5_000, granted(grant(1))])
  expect(state.lease).toBeUndefined()
  expect(state.pending).toEqual([])
})

test('the furthest clock ends the lease, after a sleep or a jump; a step back does nothing', () => {
  const state = run([0, connected], [0, pinged], [10, granted(grant(1))])
  expect(remainingMs(state, at(100))).toBe(4_900)
  expect(remainingMs(state, at(100, { slept: 6_000 }))).toBe(0)
  expect(remainingMs(state, at(100, { wall: 3_600_000 }))).toBe(0)
  expect(remainingMs(state, at(100, { wall: -7_200_000 }))).toBe(4_900)
})

test('a lease counts only once every revocation up to the answer is applied', () => {
  const waiting = run([0, connected], [0, pinged], [10, granted(grant(1), BEHIND)])
  expect(remainingMs(waiting, at(10))).toBe(0)
  expect(remainingMs(stepHolder(waiting, applied(BEHIND), at(20)), at(20))).toBe(0)
  const fresh = stepHolder(waiting, applied(ALL), at(1_000))
  expect(remainingMs(fresh, at(1_000))).toBe(4_000)
  expect(fresh.pending).toEqual([])
})

test('numbers of another timeline say nothing of this one', () => {
  const elsewhere: Applied = { ...ALL, timeline: THEIRS, seq: 99 }
  const state = run([0, connected], [0, pinged], [10, granted(grant(1), elsewhere)])
  expect(remainingMs(state, at(10))).toBe(0)
  expect(remainingMs(stepHolder(state, applied({ ...ALL, timeline: undefined }), at(20)), at(20))).toBe(0)
})

test('after a restart the pages must be there too; once they were, revocations are enough', () => {
  const without: Applied = { ...ALL, pages: undefined }
  const old: Applied = { ...ALL, pages: { timeline: OURS, txid: 69 } }
  const foreign: Applied = { ...ALL, pages: { timeline: THEIRS, txid: 99 } }
  for (const has of [without, old, foreign]) {
    expect(run([0, connected], [0, pinged], [10, granted(grant(1), has)]).lease).toBeUndefined()
  }
  const first = run([0, connected], [0, pinged], [10, granted(grant(1))], [250, pinged])
  expect(remainingMs(stepHolder(first, granted(grant(2, { txid: 71 })), at(260)), at(260))).toBe(4_990)
})

test('a holder without a database needs revocations only', () => {
  let state = startHolder({ needsPages: false })
  const has: Applied = { timeline: OURS, seq: 7, pages: undefined }
  for (const event of [connected, pinged, granted(grant(1), has)]) state = stepHolder(state, event, at(0))
  expect(remainingMs(state, at(0))).toBe(LEASE_MS)
})

test('answers that come in another order than the pings never shorten a lease', () => {
  const state = run([0, connected], [0, pinged], [250, pinged], [300, granted(grant(2))], [310, granted(grant(1))])
  expect(remainingMs(state, at(310))).toBe(4_940)
})

test('an answer that waits for revocations is not forgotten when later ones wait for more', () => {
  const waiting = run(
    [0, connected],
    [0, pinged],
    [10, granted(grant(1), BEHIND)],
    [250, pinged],
    [260, granted(grant(2, { seq: 9 }), BEHIND)],
  )
  const first = stepHolder(waiting, applied(ALL), at(300))
  expect(remainingMs(first, at(300))).toBe(4_700)
  const second = stepHolder(first, applied({ ...ALL, seq: 9 }), at(400))
  expect(remainingMs(second, at(400))).toBe(4_850)
})

test('an answer to no ping, a second answer, and one of another process give nothing', () => {
  const state = run([0, connected], [0, pinged])
  for (const event of [granted(grant(2)), granted(grant(1, { boot: '2'.repeat(32) }))]) {
    expect(stepHolder(state, event, at(10))).toBe(state)
  }
  const once = stepHolder(state, granted(grant(1)), at(10))
  expect(stepHolder(once, granted(grant(1, { leaseMs: 60_000 })), at(20))).toBe(once)
})

test('an answer does not come on another connection than its ping', () => {
  for (const between of [[{ kind: 'disconnected' } as const, connected], [connected]]) {
    const state = run([0, connected], [0, pinged], ...between.map((event) => [5, event] as const), [
      10,
      granted(grant(1)),
    ])
    expect(state.lease).toBeUndefined()
  }
})

test('a lease outlives its connection, and what was answered on it can still be satisfied', () => {
  const state = run([0, connected], [0, pinged], [10, granted(grant(1), BEHIND)], [20, { kind: 'disconnected' }])
  expect(remainingMs(stepHolder(state, applied(ALL), at(30)), at(30))).toBe(4_970)
})

test('a grantor that gives no lease takes none away', () => {
  const state = run(
    [0, connected],
    [0, pinged],
    [10, granted(grant(1))],
    [250, pinged],
    [260, granted(grant(2, { leaseMs: 0 }))],
  )
  expect(remainingMs(state, at(260))).toBe(4_740)
  expect(state.inFlight).toEqual([])
})

test('a higher epoch voids the grants of a lower one, and a lower one grants nothing any more', () => {
  const first = run([0, connected], [0, pinged], [10, granted(grant(1))], [20, pinged], [20, pinged], [20, pinged])
  const later = grant(2, { epoch: 2, timeline: THEIRS, seq: 3, txid: 9 })
  const fenced = stepHolder(first, granted(later), at(30))
  expect(remainingMs(fenced, at(30))).toBe(0)
  // Its pages have not come: the old ones are of another history.
  const streamed: Applied = { ...ALL, timeline: THEIRS, seq: 3 }
  expect(remainingMs(stepHolder(fenced, applied(streamed), at(40)), at(40))).toBe(0)
  const installed: Applied = { ...streamed, pages: { timeline: THEIRS, txid: 9 } }
  expect(remainingMs(stepHolder(fenced, applied(installed), at(40)), at(40))).toBe(4_980)
  expect(stepHolder(fenced, granted(grant(3)), at(50)).lease).toBeUndefined()
  expect(stepHolder(fenced, granted(grant(4, { epoch: 2 }), installed), at(50)).lease).toBeUndefined()
})

const anyGrant = fc
  .record({
    id: fc.integer({ min: 1, max: 12 }),
    epoch: fc.integer({ min: 1, max: 2 }),
    line: fc.boolean(),
    seq: fc.nat(5),
    txid: fc.nat(5),
    boot: fc.boolean(),
    leaseMs: fc.constantFrom(0, 100, 1_000),
  })
  .map(({ line, boot, ...of }) => grant(of.id, { ...of, timeline: line ? OURS : THEIRS, boot: boot ? BOOT : 'x' }))
const anyApplied: fc.Arbitrary<Applied> = fc.record({
  timeline: fc.constantFrom(OURS, THEIRS),
  seq: fc.nat(5),
  pages: fc.record({ timeline: fc.constantFrom(OURS, THEIRS), txid: fc.nat(5) }),
})
const anyEvent: fc.Arbitrary<HolderEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(pinged) },
  { weight: 4, arbitrary: fc.tuple(anyGrant, anyApplied).map(([of, has]) => granted(of, has)) },
  { weight: 2, arbitrary: anyApplied.map(applied) },
  { weight: 1, arbitrary: fc.constantFrom<HolderEvent>(connected, { kind: 'disconnected' }) },
)

test('a lease always rests on our own ping, on its own answer, and on applied revocations', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), anyEvent), { maxLength: 60 }), (steps) => {
      let state = stepHolder(startHolder({ needsPages: true }), connected, at(0))
      let ms = 0
      let newest = 0
      const sentMs = new Map<number, number>()
      for (const [passed, event] of steps) {
        ms += passed
        if (event.kind === 'pinged') sentMs.set(state.nextId, ms)
        const before = state
        state = stepHolder(state, event, at(ms))
        expect(state.epoch).toBeGreaterThanOrEqual(before.epoch)
        const { lease } = state
        if (lease === undefined) continue
        const { grant: of } = lease
        expect(lease.sent.monotonicMs).toBe(sentMs.get(of.id))
        expect([of.epoch, of.timeline, of.boot]).toEqual([state.epoch, state.timeline, BOOT])
        expect(remainingMs(state, at(ms))).toBeLessThanOrEqual(of.leaseMs)
        if (lease === before.lease) continue
        // It changed: then to a newer one, with everything in its answer applied at this very step.
        expect(of.id).toBeGreaterThan(newest)
        newest = of.id
        if (event.kind !== 'granted' && event.kind !== 'applied') throw new Error(`a lease out of ${event.kind}`)
        expect(event.applied.timeline).toBe(of.timeline)
        expect(event.applied.seq).toBeGreaterThanOrEqual(of.seq)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('while nobody answers, what is left of a lease and the age only go one way', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ ms: fc.nat(500), wall: fc.integer({ min: -1e7, max: 1e7 }), slept: fc.nat(100) })),
      (looks) => {
        const state = run([0, connected], [0, pinged], [10, granted(grant(1))])
        let ms = 10
        let slept = 0
        for (const look of looks) {
          ms += look.ms
          slept += look.slept
          const left = remainingMs(state, at(ms, { slept, wall: look.wall }))
          // Whatever the wall clock shows: no more is left than the other clocks leave.
          expect(left).toBeLessThanOrEqual(Math.max(0, LEASE_MS - ms - slept))
        }
      },
    ),
  )
})
