import fc from 'fast-check'
import { expect, test } from 'vitest'
import { grantedMs } from '../../../shared/freshness/bound.ts'
import { Grants, type HolderName } from '../../../shared/freshness/grants.ts'
import { compareMarks, MARK_ALL, MARK_NONE, type Mark } from '../../../shared/freshness/mark.ts'

const A: HolderName = { peer: 'a', boot: '1' }
const A_AGAIN: HolderName = { peer: 'a', boot: '2' }
const B: HolderName = { peer: 'b', boot: '1' }
const LEASE_MS = 1_000
const RATE = 0.005
const COUNTED_MS = grantedMs(LEASE_MS, RATE, 2)

function mark(seq: number, epoch: number = 1): Mark {
  return { epoch, seq }
}

function grants(changes: { readonly earlierLeaseMs?: number; readonly holdersMax?: number } = {}): Grants {
  return new Grants({ startedMs: 0, earlierLeaseMs: 0, clockRateError: RATE, hops: 2, holdersMax: 100, ...changes })
}

function lease(seq: number, leaseMs: number = LEASE_MS): { readonly mark: Mark; readonly leaseMs: number } {
  return { mark: mark(seq), leaseMs }
}

test('every revocation binds at once while nobody holds a lease', () => {
  const book = grants()
  expect(book.coveredUpTo(0)).toBe(MARK_ALL)
  expect(book.coverage(mark(1), 0)).toEqual([])
})

test('a holder is covered when it has acknowledged', () => {
  const book = grants()
  book.grant(A, lease(6), 0)
  expect(book.coveredUpTo(10)).toEqual(mark(6))
  expect(book.coverage(mark(7), 10)).toEqual([{ ...A, how: 'pending', atMs: COUNTED_MS }])
  book.acknowledge(A, mark(7), 20)
  expect(book.coveredUpTo(30)).toEqual(mark(7))
  expect(book.coverage(mark(7), 30)).toEqual([{ ...A, how: 'acknowledged', atMs: 20 }])
})

test('or when its lease has run out, counted longer by what the clocks may differ', () => {
  const book = grants()
  book.grant(A, lease(6), 0)
  expect(COUNTED_MS).toBeGreaterThan(LEASE_MS)
  expect(book.coverage(mark(7), COUNTED_MS - 1)).toMatchObject([{ how: 'pending' }])
  expect(book.coverage(mark(7), COUNTED_MS)).toEqual([{ ...A, how: 'lease expired', atMs: COUNTED_MS }])
  expect(book.coveredUpTo(COUNTED_MS)).toBe(MARK_ALL)
})

test('a holder that only asks, and never acknowledges, keeps nobody waiting longer than a lease', () => {
  const book = grants()
  book.grant(A, lease(6), 0)
  for (let ms = 10; ms <= 1_000; ms += 10) book.grant(A, lease(7), ms)
  expect(book.coverage(mark(7), COUNTED_MS - 1)).toMatchObject([{ how: 'pending', atMs: COUNTED_MS }])
  for (let ms = 1_010; ms <= 2_000; ms += 10) book.grant(A, lease(7), ms)
  expect(book.coveredUpTo(2_000)).toEqual(mark(7))
  expect(book.coverage(mark(8), 2_000)).toMatchObject([{ how: 'pending', atMs: 2_000 + COUNTED_MS }])
  expect(book.coverage(mark(7), 2_000)).toMatchObject([{ how: 'no lease' }])
})

test('another process of a peer is another holder: what it says covers nothing of the first one', () => {
  const book = grants()
  book.grant(A, lease(6), 0)
  book.grant(A_AGAIN, lease(6), 100)
  book.acknowledge(A_AGAIN, mark(9), 200)
  expect(book.coveredUpTo(200)).toEqual(mark(6))
  expect(book.coveredByMs(mark(7), 200)).toBe(COUNTED_MS)
  expect(book.coveredUpTo(COUNTED_MS)).toEqual(mark(9))
})

test('after a start everybody may hold the longest lease there ever was', () => {
  const book = grants({ earlierLeaseMs: 5_000 })
  const untilMs = grantedMs(5_000, RATE, 2)
  book.grant(A, lease(6), 10)
  book.acknowledge(A, mark(7), 20)
  expect(book.coveredUpTo(untilMs - 1)).toBe(MARK_NONE)
  expect(book.coveredByMs(mark(7), 20)).toBe(untilMs)
  expect(book.coveredUpTo(untilMs)).toBe(MARK_ALL)
})

test('in a later epoch numbers count anew: what was acknowledged in the one before is behind', () => {
  const book = grants()
  book.grant(A, { mark: mark(90), leaseMs: LEASE_MS }, 0)
  book.acknowledge(A, mark(90), 0)
  expect(book.coverage(mark(1, 2), 10)).toMatchObject([{ how: 'pending' }])
  book.acknowledge(A, mark(1, 2), 20)
  expect(book.coverage(mark(1, 2), 30)).toMatchObject([{ how: 'acknowledged' }])
})

test('acknowledgements never go back, and of strangers they say nothing', () => {
  const book = grants()
  book.acknowledge(B, mark(99), 0)
  book.grant(A, lease(6), 0)
  book.acknowledge(A, mark(9), 1)
  book.acknowledge(A, mark(7), 2)
  expect(book.coverage(mark(9), 3)).toEqual([{ ...A, how: 'acknowledged', atMs: 1 }])
})

test('beyond the limits no lease is given, and those that ran out make room', () => {
  const book = grants({ holdersMax: 2 })
  expect(book.grant(A, lease(1), 0)).toBe(true)
  expect(book.grant(B, lease(1), 500)).toBe(true)
  expect(book.grant(A_AGAIN, lease(1), 500)).toBe(false)
  expect(book.grant(A, lease(1), 500)).toBe(true)
  expect(book.grant(A_AGAIN, lease(1), 500 + COUNTED_MS)).toBe(true)
})

test('a peer that makes up processes gets no further than a few', () => {
  const book = grants()
  const given = Array.from({ length: 40 }, (_, boot) => book.grant({ peer: 'a', boot: String(boot) }, lease(1), 0))
  expect(given.filter(Boolean).length).toBe(16)
  expect(book.grant(B, lease(1), 0)).toBe(true)
})

interface Given {
  readonly name: HolderName
  readonly mark: Mark
  readonly endMs: number
}

test('no holder counts as covered while it may still judge without the revocation', () => {
  const step = fc.record({
    passed: fc.nat(150),
    who: fc.constantFrom(A, A_AGAIN, B),
    what: fc.constantFrom('grant', 'grant', 'grant', 'commit', 'acknowledge'),
    leaseMs: fc.constantFrom(50, 400, 1_000),
    behind: fc.nat(3),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.nat(600), (steps, earlierLeaseMs) => {
      const book = grants({ earlierLeaseMs })
      const given: Given[] = []
      const acknowledged = new Map<HolderName, number>()
      let nowMs = 0
      let seq = 0
      for (const { passed, who, what, leaseMs, behind } of steps) {
        nowMs += passed
        if (what === 'commit') seq += 1
        if (what === 'grant' && book.grant(who, { mark: mark(seq), leaseMs }, nowMs)) {
          given.push({ name: who, mark: mark(seq), endMs: nowMs + grantedMs(leaseMs, RATE, 2) })
        }
        if (what === 'acknowledge') {
          const said = Math.max(0, seq - behind)
          book.acknowledge(who, mark(said), nowMs)
          acknowledged.set(who, Math.max(said, acknowledged.get(who) ?? 0))
        }
        const covered = book.coveredUpTo(nowMs)
        const startEnds = grantedMs(earlierLeaseMs, RATE, 2)
        if (nowMs < startEnds) expect(covered).toBe(MARK_NONE)
        for (let of = 1; of <= seq + 1; of += 1) {
          const without = given.filter(
            ({ name, mark: at, endMs }) => endMs > nowMs && at.seq < of && (acknowledged.get(name) ?? 0) < of,
          )
          const isCovered = compareMarks(mark(of), covered) <= 0
          // Never too early; and, with few leases to tell apart, never later than the last of them.
          if (without.length > 0) expect(isCovered).toBe(false)
          else if (nowMs >= startEnds && given.length < 60) expect(isCovered).toBe(true)
          const pending = book.coverage(mark(of), nowMs).some(({ how }) => how === 'pending')
          expect(pending || nowMs < startEnds).toBe(!isCovered)
          const lastMs = Math.max(startEnds, ...without.map(({ endMs }) => endMs))
          expect(book.coveredByMs(mark(of), nowMs)).toBeGreaterThanOrEqual(lastMs)
        }
      }
    }),
    { numRuns: 300 },
  )
})
