/** The archiver's core under events in any order: one work at a time in each lane, uploads first, and nothing that is due forgotten. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { alertsOf } from '../../../primary/archiver/alerts.ts'
import { archiverStep } from '../../../primary/archiver/core.ts'
import {
  type ArchiverEvent,
  type ArchiverRules,
  type ArchiverState,
  type Failure,
  type JobName,
  startArchiver,
  type ArchiveWork,
} from '../../../primary/archiver/state.ts'
import { txid } from '../../../shared/ids.ts'

const RULES: ArchiverRules = { roundMs: 1_000, retryBaseMs: 500, retryMaxMs: 30_000, lateMs: 60_000 }
/** Of its alerts. */
const textsOf = (state: ArchiverState, nowMs: number): readonly string[] =>
  alertsOf(state, nowMs, RULES).map(({ text }) => text)

const UPLOAD: ArchiveWork = { kind: 'upload', after: txid(5) }

/** Feeds events one after the other at their times. */
class Driver {
  state: ArchiverState = startArchiver(txid(5))
  nowMs = 0
  /** In the chain, and in the background. */
  started: ArchiveWork | undefined
  background: ArchiveWork | undefined
  wakeAtMs: number | undefined

  send(event: ArchiverEvent, atMs: number = this.nowMs): this {
    this.nowMs = atMs
    const { state, start, wakeAtMs } = archiverStep(this.state, event, atMs, RULES)
    this.state = state
    this.started = start.find(({ kind }) => kind !== 'background')
    this.background = start.find(({ kind }) => kind === 'background')
    this.wakeAtMs = wakeAtMs
    return this
  }

  claimed(): this {
    return this.send({ kind: 'tick' }).send({ kind: 'claimed', archived: txid(5), needsSnapshot: false })
  }

  committed(number: number, atMs: number = this.nowMs): this {
    return this.send({ kind: 'committed', txid: txid(number) }, atMs)
  }

  failed(message: string, final: boolean = false): this {
    return this.send({ kind: 'failed', failure: failure(message), final })
  }
}

function failure(message: string): Failure {
  return { code: 'archive_unavailable', message }
}

const driver = (): Driver => new Driver()

describe('the archiver', () => {
  test('claims before it does anything else, and again after a failure, later and later', () => {
    const own = driver().committed(6)
    expect(own.started).toEqual({ kind: 'claim' })
    for (const waitMs of [500, 1_000, 2_000, 4_000]) {
      own.failed('no network')
      expect(own.started).toBeUndefined()
      expect(own.wakeAtMs).toBe(own.nowMs + waitMs)
      own.send({ kind: 'tick' }, own.wakeAtMs)
      expect(own.started).toEqual({ kind: 'claim' })
    }
    own.send({ kind: 'claimed', archived: txid(5), needsSnapshot: false })
    expect(own.started).toEqual(UPLOAD)
    own.failed('no network')
    expect(own.wakeAtMs).toBe(own.nowMs + 8_000)
  })

  test('makes a snapshot due after a drill that found damage, and after no other failure of one', () => {
    const snapshot = { kind: 'background', job: 'snapshot' }
    for (const [code, next] of [
      ['archive_damaged', snapshot],
      ['archive_unavailable', undefined],
    ] as const) {
      const own = driver().claimed().send({ kind: 'due', job: 'drill' })
      expect(own.background).toEqual({ kind: 'background', job: 'drill' })
      own.send({ kind: 'background failed', failure: { code, message: 'a file is damaged' } })
      expect(own.background).toEqual(next)
    }
    const own = driver().claimed().send({ kind: 'due', job: 'snapshot' })
    own.send({ kind: 'background failed', failure: { code: 'archive_damaged', message: 'a file is damaged' } })
    expect(own.background).toBeUndefined()
  })

  test('starts a round of uploads at once, and the next one no sooner than the time between two', () => {
    const own = driver().claimed().committed(6, 10_000)
    expect(own.started).toEqual(UPLOAD)
    own.committed(7, 10_100).send({ kind: 'uploaded', archived: txid(6) }, 10_200)
    expect(own.started).toBeUndefined()
    expect(own.wakeAtMs).toBe(11_000)
    own.send({ kind: 'tick' }, 11_000)
    expect(own.started).toEqual({ kind: 'upload', after: 6 })
  })

  test('does jobs between uploads, one after the other, and no job twice at once', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'compact 1' })
    expect(own.started).toEqual({ kind: 'job', job: 'compact 1' })
    own.send({ kind: 'due', job: 'compact 1' }).send({ kind: 'due', job: 'retain' })
    expect(own.started).toBeUndefined()
    own.committed(6).send({ kind: 'job done', archived: undefined })
    expect(own.started).toEqual(UPLOAD)
    own.send({ kind: 'uploaded', archived: txid(6) })
    expect(own.started).toEqual({ kind: 'job', job: 'retain' })
    own.send({ kind: 'job done', archived: undefined })
    expect(own.started).toBeUndefined()
    expect(own.state.due).toEqual([])
  })

  test('looks for a heartbeat only once every earlier commit should have arrived', () => {
    const own = driver().claimed().committed(6).send({ kind: 'due', job: 'heartbeat' })
    own
      .committed(7)
      .send({ kind: 'due', job: 'retain' })
      .send({ kind: 'uploaded', archived: txid(5) })
    expect(own.started).toEqual({ kind: 'job', job: 'retain' })
    own.send({ kind: 'job done', archived: undefined }, 1_000)
    expect(own.started).toEqual(UPLOAD)
    own.send({ kind: 'uploaded', archived: txid(6) })
    expect(own.started).toEqual({ kind: 'job', job: 'heartbeat' })
    expect(
      textsOf(driver().claimed().committed(6).failed('x').send({ kind: 'due', job: 'heartbeat' }).state, 61_000),
    ).toContain('heartbeat is late')
  })

  test('after a gap takes a snapshot before it uploads, and goes on from there', () => {
    const own = driver().claimed().committed(9).send({ kind: 'gap' })
    expect(own.started).toEqual({ kind: 'job', job: 'snapshot' })
    own.committed(12, 2_000).send({ kind: 'job done', archived: txid(9) })
    expect(own.started).toEqual({ kind: 'upload', after: 9 })
  })

  test('is over when another primary leads, whatever happens then', () => {
    const own = driver().claimed().committed(6).failed('fenced', true)
    own.committed(7, 1e9).send({ kind: 'due', job: 'snapshot' }).send({ kind: 'tick' }, 2e9)
    expect(own.started).toBeUndefined()
    expect(own.wakeAtMs).toBeUndefined()
  })

  test('reports a failing job until it succeeds, and a late one', () => {
    const own = driver().claimed().committed(6).failed('bucket gone')
    const alerts = (laterMs: number = 0): readonly string[] => textsOf(own.state, own.nowMs + laterMs)
    expect(alerts()).toEqual(['upload fails: bucket gone'])
    expect(alerts(61_000)).toEqual(['upload fails: bucket gone', '1 transactions wait for the archive'])
    const codes = alertsOf(own.state, own.nowMs + 61_000, RULES).map(({ code }) => code)
    expect(codes).toEqual(['archive_failing', 'archive_behind'])
    own.send({ kind: 'tick' }, 30_000).send({ kind: 'claimed', archived: txid(5), needsSnapshot: false })
    expect(alerts()).toEqual(['upload fails: bucket gone'])
    own.send({ kind: 'uploaded', archived: txid(6) })
    expect(alerts()).toEqual([])
    own.send({ kind: 'due', job: 'drill' }).send({ kind: 'due', job: 'retain' })
    expect(alerts(61_000)).toEqual(['retain is late'])
    expect(alerts(601_000)).toEqual(['retain is late', 'drill takes unusually long'])
    own
      .send({ kind: 'background failed', failure: failure('a file is damaged') })
      .send({ kind: 'job done', archived: undefined })
    expect(alerts(61_000)).toEqual(['drill fails: a file is damaged'])
    own.send({ kind: 'due', job: 'drill' }).send({ kind: 'background done' })
    expect(alerts(61_000)).toEqual([])
  })

  test('reports a job that works for very long, and the one that waits behind it', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'compact 1' }).send({ kind: 'due', job: 'compact 2' })
    expect(textsOf(own.state, 61_000)).toEqual(['compact 2 is late'])
    expect(textsOf(own.state, 601_000)).toEqual(['compact 2 is late', 'compact 1 takes unusually long'])
  })

  test('uploads during a snapshot or a drill, and names the snapshot once it is there', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'snapshot' })
    expect([own.started, own.background]).toEqual([undefined, { kind: 'background', job: 'snapshot' }])
    own.committed(6).send({ kind: 'due', job: 'drill' })
    expect(own.background).toBeUndefined()
    own.send({ kind: 'uploaded', archived: txid(6) }).send({ kind: 'background done' })
    expect([own.started, own.background]).toEqual([
      { kind: 'job', job: 'snapshot' },
      { kind: 'background', job: 'drill' },
    ])
    own.committed(7, 5_000).send({ kind: 'job done', archived: undefined })
    expect(own.started).toEqual({ kind: 'upload', after: 6 })
    own.send({ kind: 'uploaded', archived: txid(7) }).send({ kind: 'background done' })
    expect([own.state.due, own.state.snapshotUploaded, own.state.background]).toEqual([[], false, undefined])
  })

  test('deletes nothing while a drill reads or a snapshot lacks its entry, and begins neither then', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'snapshot' }).send({ kind: 'due', job: 'retain' })
    expect(own.started).toBeUndefined()
    own.send({ kind: 'background done' })
    expect(own.started).toEqual({ kind: 'job', job: 'snapshot' })
    own.send({ kind: 'job done', archived: undefined })
    expect(own.started).toEqual({ kind: 'job', job: 'retain' })
    own.send({ kind: 'due', job: 'drill' })
    expect(own.background).toBeUndefined()
    own.send({ kind: 'job done', archived: undefined })
    expect(own.background).toEqual({ kind: 'background', job: 'drill' })
  })

  test('a failure in the background leaves the known chain unchanged', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'snapshot' })
    own.send({ kind: 'background failed', failure: failure('no space') }).committed(6)
    expect(own.started).toEqual(UPLOAD)
    expect([own.state.due, own.state.errors]).toEqual([[], { snapshot: failure('no space') }])
  })

  test('a gap found during an upload of a snapshot waits for it, then for one that bridges the gap', () => {
    const own = driver().claimed().send({ kind: 'due', job: 'snapshot' }).committed(9).send({ kind: 'gap' })
    expect(own.started).toBeUndefined()
    own.send({ kind: 'background done' })
    expect([own.started, own.background]).toEqual([{ kind: 'job', job: 'snapshot' }, undefined])
    own.send({ kind: 'job done', archived: txid(9) })
    expect([own.state.due, own.state.snapshotUploaded, own.state.archived]).toEqual([[], false, 9])
  })

  test('has one job a lane, and always works, knows when to wake, or has nothing to do', () => {
    const jobs: readonly JobName[] = ['snapshot', 'compact 1', 'retain', 'drill', 'heartbeat']
    const events = fc.array(fc.tuple(fc.nat(5), fc.nat(3_000), fc.constantFrom(...jobs)), { maxLength: 60 })
    fc.assert(
      fc.property(events, (drawn) => {
        const own = driver().send({ kind: 'tick' })
        let committed = 5
        for (const [what, laterMs, job] of drawn) {
          const { working, background } = own.state
          const outcome =
            what > 3 ? undefined : (outcomeOf(working, own.state, what) ?? backgroundOutcomeOf(own.state, what))
          if (what === 4) own.committed((committed += 1), own.nowMs + laterMs)
          else own.send(what === 5 ? { kind: 'due', job } : (outcome ?? { kind: 'tick' }), own.nowMs + laterMs)
          if (own.started !== undefined) expect(working === undefined || outcome !== undefined).toBe(true)
          const { state, wakeAtMs, nowMs } = own
          if (own.background !== undefined) expect(background === undefined || outcome !== undefined).toBe(true)
          const idle = state.claimed && state.archived === state.committed && !state.needsSnapshot
          const waiting = idle && (state.due.length === 0 || nowMs < state.retryAtMs)
          const works = state.working !== undefined || state.background !== undefined
          expect(works || wakeAtMs !== undefined || waiting).toBe(true)
          const deletes = state.working?.kind === 'job' && state.working.job === 'retain'
          expect(deletes && (state.background !== undefined || state.snapshotUploaded)).toBe(false)
          const bridgesGap = state.working?.kind === 'job' && state.working.job === 'snapshot'
          expect(bridgesGap && state.background === 'snapshot').toBe(false)
          expect(state.archived).toBeLessThanOrEqual(state.committed)
        }
      }),
    )
  })
})

test('reports an archive that is not in its place and a job that stalls under their own names', () => {
  const own = new Driver()
  own.send({ kind: 'tick' })
  const before = alertsOf(own.state, own.nowMs + 3 * RULES.lateMs, RULES)
  expect(before.map(({ code }) => code)).toEqual(['archive_behind'])
  const late = alertsOf(own.state, own.nowMs + 3 * RULES.lateMs + 1, RULES)
  expect(late).toContainEqual({ code: 'archive_late', text: 'claim takes unusually long' })
  const failure = { code: 'archive_missing', message: 'it is empty' } as const
  own.send({ kind: 'failed', failure, final: false })
  expect(alertsOf(own.state, own.nowMs, RULES)).toEqual([{ code: 'archive_missing', text: 'claim fails: it is empty' }])
})

/** One of the ways in which a work can end. */
function outcomeOf(
  work: ArchiveWork | undefined,
  { archived, committed }: ArchiverState,
  what: number,
): ArchiverEvent | undefined {
  if (work === undefined) return undefined
  if (what === 0) return { kind: 'failed', failure: failure('x'), final: false }
  if (work.kind === 'claim') return { kind: 'claimed', archived, needsSnapshot: what === 1 }
  if (work.kind === 'upload') return what === 1 ? { kind: 'gap' } : { kind: 'uploaded', archived: committed }
  return { kind: 'job done', archived: work.job === 'snapshot' ? committed : undefined }
}

function backgroundOutcomeOf({ background }: ArchiverState, what: number): ArchiverEvent | undefined {
  if (background === undefined) return undefined
  return what === 0 ? { kind: 'background failed', failure: failure('x') } : { kind: 'background done' }
}
