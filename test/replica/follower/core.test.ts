import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  startFollower,
  stepFollower,
  type FollowerEvent,
  type FollowerState,
  type ArrivedSegment,
  type AppliedState,
} from '../../../replica/follower/core.ts'
import { checksum, epoch, timeline, txid, type Checksum, type Timeline } from '../../../shared/ids.ts'
import { samePosition } from '../../../shared/position.ts'

const OURS: Timeline = timeline('a'.repeat(32))
const THEIRS: Timeline = timeline('b'.repeat(32))

function content(at: number, branch = 0): Checksum {
  return checksum((1n << 63n) | (BigInt(branch) << 32n) | BigInt(at))
}

interface At {
  readonly epoch?: number
  readonly line?: Timeline
  readonly branch?: number
}

function applied(at: number, { epoch: of = 3, line = OURS, branch = 0 }: At = {}): AppliedState {
  return { position: { epoch: epoch(of), txid: txid(at), checksum: content(at, branch) }, timeline: line }
}

function segment(at: number, changes: Partial<ArrivedSegment> = {}): ArrivedSegment {
  const txids = { minTxid: txid(at), maxTxid: txid(at) }
  return { epoch: epoch(3), ...txids, preApply: content(at - 1), postApply: content(at), ...changes }
}

function snapshot(at: number, changes: Partial<ArrivedSegment> = {}): ArrivedSegment {
  return segment(at, { minTxid: txid(1), preApply: checksum(1n << 63n), ...changes })
}

function effectOf(state: FollowerState, event: FollowerEvent): string {
  return stepFollower(state, event).effect?.kind ?? 'nothing'
}

const AT_10 = applied(10)
const idle: FollowerState = startFollower(AT_10)
const following: FollowerState = { applied: AT_10, phase: 'following' }
const loading: FollowerState = { applied: AT_10, phase: 'loading' }
const resyncing: FollowerState = { applied: AT_10, phase: 'resyncing' }
const nowhere: FollowerState = startFollower(undefined)
const loadingAnew: FollowerState = { applied: undefined, phase: 'loading' }

const WELCOMES: readonly (readonly [string, AppliedState, string])[] = [
  ['at our position', AT_10, 'nothing'],
  ['further', applied(11), 'nothing'],
  ['further on another branch: its segments will show', applied(11, { branch: 1 }), 'nothing'],
  ['behind', applied(9), 'diverged'],
  ['at our number with other content', applied(10, { branch: 1 }), 'diverged'],
  ['on another timeline of our epoch', applied(10, { line: THEIRS }), 'diverged'],
  ['of an older epoch', applied(99, { epoch: 2 }), 'diverged'],
  ['of a newer epoch', applied(2, { epoch: 4, line: THEIRS }), 'nothing'],
]

for (const [who, primary, effect] of WELCOMES) {
  test(`a primary ${who}: ${effect}`, () => {
    expect(effectOf(idle, { kind: 'welcome', primary })).toBe(effect)
    expect(effectOf(nowhere, { kind: 'welcome', primary })).toBe('nothing')
    // Before a snapshot is taken it is judged the same.
    expect(effectOf(idle, { kind: 'snapshot-begins', primary })).toBe(effect)
  })
}

test('a signed position that segments have overtaken says nothing; others count like a welcome', () => {
  expect(effectOf(following, { kind: 'position-stated', primary: applied(9, { branch: 1 }) })).toBe('nothing')
  expect(effectOf(following, { kind: 'position-stated', primary: AT_10 })).toBe('nothing')
  expect(effectOf(following, { kind: 'position-stated', primary: applied(10, { branch: 1 }) })).toBe('diverged')
  expect(effectOf(following, { kind: 'position-stated', primary: applied(12, { line: THEIRS }) })).toBe('diverged')
  expect(effectOf(nowhere, { kind: 'position-stated', primary: AT_10 })).toBe('nothing')
})

const SEGMENTS: readonly (readonly [string, ArrivedSegment, string])[] = [
  ['the next one', segment(11), 'apply'],
  ['the one before again', segment(10), 'violation'],
  ['one too far', segment(12), 'resync'],
  ['the next one of another epoch', segment(11, { epoch: epoch(4) }), 'resync'],
  ['the next one on other content', segment(11, { preApply: content(10, 1) }), 'diverged'],
  ['the next one without a checksum before', segment(11, { preApply: undefined }), 'diverged'],
  ['the next one without a checksum after', segment(11, { postApply: undefined }), 'violation'],
  ['the next one without an epoch', segment(11, { epoch: undefined }), 'violation'],
  ['two in one', segment(11, { maxTxid: txid(12) }), 'violation'],
]

for (const [what, header, effect] of SEGMENTS) {
  test(`a segment that is ${what}: ${effect}`, () => {
    expect(effectOf(following, { kind: 'segment-arrived', header })).toBe(effect)
    for (const state of [idle, loading, nowhere, loadingAnew]) {
      expect(effectOf(state, { kind: 'segment-arrived', header })).toBe('violation')
    }
    expect(effectOf(resyncing, { kind: 'segment-arrived', header })).toBe('nothing')
  })
}

test('a segment leads exactly to the position that it states', () => {
  const { effect } = stepFollower(following, { kind: 'segment-arrived', header: segment(11) })
  expect(effect).toEqual({ kind: 'apply', next: applied(11) })
})

test('a damaged segment asks for a snapshot once, and later segments are skipped until it begins', () => {
  const first = stepFollower(following, { kind: 'segment-damaged' })
  expect(first).toMatchObject({ effect: { kind: 'resync' }, state: { phase: 'resyncing', applied: AT_10 } })
  expect(stepFollower(first.state, { kind: 'segment-damaged' })).toEqual({ state: first.state })
  expect(stepFollower(first.state, { kind: 'segment-arrived', header: segment(12) })).toEqual({ state: first.state })
  const begun = stepFollower(first.state, { kind: 'snapshot-begins', primary: applied(20) })
  expect(begun.state.phase).toBe('loading')
})

test('resume needs something to resume from', () => {
  expect(stepFollower(idle, { kind: 'resume' })).toEqual({ state: following })
  expect(effectOf(nowhere, { kind: 'resume' })).toBe('violation')
})

test('a snapshot is installed only when it was announced and is what was announced', () => {
  const primary = applied(20)
  const install = { kind: 'install', next: primary }
  expect(stepFollower(loading, { kind: 'snapshot-arrived', header: snapshot(20), primary }).effect).toEqual(install)
  expect(stepFollower(loadingAnew, { kind: 'snapshot-arrived', header: snapshot(20), primary }).effect).toEqual(install)
  for (const state of [idle, following, nowhere, resyncing]) {
    expect(effectOf(state, { kind: 'snapshot-arrived', header: snapshot(20), primary })).toBe('violation')
  }
  for (const header of [
    snapshot(21),
    snapshot(20, { epoch: epoch(4) }),
    snapshot(20, { epoch: undefined }),
    snapshot(20, { postApply: content(20, 1) }),
    snapshot(20, { postApply: undefined }),
  ]) {
    expect(effectOf(loading, { kind: 'snapshot-arrived', header, primary })).toBe('violation')
  }
})

test('a connection that ends keeps the position, damage gives it up', () => {
  for (const state of [idle, following, loading, resyncing]) {
    expect(stepFollower(state, { kind: 'disconnected' })).toEqual({ state: idle })
    expect(stepFollower(state, { kind: 'damaged' })).toEqual({ state: nowhere })
  }
})

test('a follower stands at its stored position', () => {
  expect(stepFollower(loadingAnew, { kind: 'stored', applied: applied(20) }).state).toEqual({
    applied: applied(20),
    phase: 'following',
  })
})

const small = { epoch: fc.integer({ min: 2, max: 4 }), branch: fc.integer({ min: 0, max: 1 }) }
const anyStanding = fc
  .record({ at: fc.integer({ min: 0, max: 14 }), line: fc.constantFrom(OURS, THEIRS), ...small })
  .map(({ at, ...of }) => applied(at, of))
const anyHeader: fc.Arbitrary<ArrivedSegment> = fc
  .record({ at: fc.integer({ min: 1, max: 14 }), from: fc.integer({ min: 0, max: 2 }), pre: fc.nat(14), ...small })
  .map(({ at, from, pre, epoch: of, branch }) =>
    segment(at, {
      epoch: epoch(of),
      minTxid: txid(from === 0 ? Math.max(1, at - 1) : from === 1 ? 1 : at),
      preApply: content(pre, branch),
      postApply: content(at, branch),
    }),
  )
const anyEvent: fc.Arbitrary<FollowerEvent> = fc.oneof(
  anyStanding.map((primary) => ({ kind: 'welcome' as const, primary })),
  anyStanding.map((primary) => ({ kind: 'snapshot-begins' as const, primary })),
  anyStanding.map((primary) => ({ kind: 'position-stated' as const, primary })),
  fc.tuple(anyHeader, anyStanding).map(([header, primary]) => ({ kind: 'snapshot-arrived' as const, header, primary })),
  anyHeader.map((header) => ({ kind: 'segment-arrived' as const, header })),
  fc.constantFrom<FollowerEvent>(
    { kind: 'resume' },
    { kind: 'disconnected' },
    { kind: 'damaged' },
    { kind: 'segment-damaged' },
  ),
)

test('no sequence of events applies anything but our epoch’s next transaction on our content', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), fc.option(anyStanding), (events, start) => {
      let state = startFollower(start ?? undefined)
      for (const event of events) {
        const before = state.applied
        const { state: next, effect } = stepFollower(state, event)
        // Only what was stored, or damage, moves the applied: never an event that merely arrived.
        if (event.kind !== 'damaged') expect(next.applied).toBe(before)
        state = next
        if (effect?.kind !== 'apply' && effect?.kind !== 'install') continue
        const { position } = effect.next
        if (effect.kind === 'apply') {
          if (before === undefined || event.kind !== 'segment-arrived') throw new Error('applied out of nothing')
          expect(position.txid).toBe(before.position.txid + 1)
          expect(position.epoch).toBe(before.position.epoch)
          expect(event.header.preApply).toBe(before.position.checksum)
          expect(effect.next.timeline).toBe(before.timeline)
        } else {
          if (event.kind !== 'snapshot-arrived') throw new Error('installed out of nothing')
          expect(samePosition(position, event.primary.position)).toBe(true)
        }
        state = stepFollower(state, { kind: 'stored', applied: effect.next }).state
      }
    }),
    { numRuns: 500 },
  )
})

test('a diverged or violating primary never moves this replica', () => {
  fc.assert(
    fc.property(
      anyEvent,
      anyStanding,
      fc.constantFrom<FollowerState['phase']>('idle', 'following', 'loading', 'resyncing'),
      (event, at, phase) => {
        const state: FollowerState = { applied: at, phase }
        const { state: next, effect } = stepFollower(state, event)
        if (effect?.kind !== 'diverged' && effect?.kind !== 'violation') return
        expect(next.applied).toBe(at)
      },
    ),
  )
})
