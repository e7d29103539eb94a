/**
 * The archiver's core: decides what work starts next. Pure.
 *
 * 1. Work on the chain runs one at a time, because each ends with an entry of the chain.
 * 2. Uploads go before jobs. A due job waits for its turn; a failed job waits for its next schedule.
 * 3. After any failure the content of the archive is unknown, so a claim comes before any other work.
 * 4. Large work (a snapshot's file, a drill) runs in a background lane, so that no upload waits for it.
 */
import { TXID_NONE, type Txid } from '../../shared/ids.ts'
import { nextBackground, nextInChain, wakeAt } from './lanes.ts'
import {
  type ArchiverEvent,
  type ArchiverRules,
  type ArchiverState,
  type ArchiverStep,
  type Failure,
  type JobName,
  nameOf,
  type ArchiveWork,
} from './state.ts'

export function archiverStep(
  before: ArchiverState,
  event: ArchiverEvent,
  nowMs: number,
  rules: ArchiverRules,
): ArchiverStep {
  const state = withLag(applyEvent(before, event, nowMs, rules), nowMs)
  const working = nextInChain(state, nowMs)
  const chained = working === undefined ? state : withWorking(state, working, nowMs, rules)
  const background = nextBackground(chained, nowMs)
  const started =
    background === undefined ? chained : { ...chained, background: background.job, backgroundSinceMs: nowMs }
  const start = [working, background].filter((work) => work !== undefined)
  return { state: started, start, wakeAtMs: wakeAt(started) }
}

function withWorking(
  state: ArchiverState,
  working: ArchiveWork,
  nowMs: number,
  { roundMs }: ArchiverRules,
): ArchiverState {
  const nextRoundMs = working.kind === 'upload' ? nowMs + roundMs : state.nextRoundMs
  return { ...state, working, workingSinceMs: nowMs, nextRoundMs }
}

function applyEvent(state: ArchiverState, event: ArchiverEvent, nowMs: number, rules: ArchiverRules): ArchiverState {
  switch (event.kind) {
    case 'committed':
      return { ...state, committed: event.txid }
    case 'due':
      return withDue(state, event.job, nowMs)
    case 'hurry':
      return { ...state, nextRoundMs: Math.min(state.nextRoundMs, nowMs) }
    case 'claimed':
      // A claim does not reset the count of failures: if the work after it fails again, the next delay must be longer.
      return { ...workDone(withClaim(state, event)), failures: state.failures }
    case 'uploaded':
      return workDone({ ...state, archived: event.archived })
    case 'gap':
      return workDone({ ...state, needsSnapshot: true })
    case 'job done':
      return jobDone(state, event.archived)
    case 'failed':
      return failed(state, event, nowMs, rules)
    case 'background done':
      return backgroundDone(state)
    case 'background failed':
      return backgroundFailed(state, event.failure, nowMs)
    case 'repair':
      return { ...state, claimed: false, retryAtMs: nowMs }
    case 'tick':
      return state
  }
}

function withClaim(
  state: ArchiverState,
  { archived, needsSnapshot }: Extract<ArchiverEvent, { kind: 'claimed' }>,
): ArchiverState {
  return { ...state, claimed: true, archived, needsSnapshot }
}

/** A heartbeat reads back the newest transaction of the time when it became due, so it waits until that one is archived. */
function withDue(state: ArchiverState, job: JobName, sinceMs: number): ArchiverState {
  if (state.due.some((due) => due.job === job)) return state
  const needs = job === 'heartbeat' ? state.committed : TXID_NONE
  return { ...state, due: [...state.due, { job, sinceMs, needs }] }
}

function workDone(state: ArchiverState): ArchiverState {
  const { working, errors } = state
  const { [nameOf(working)]: _, ...others } = errors
  return { ...state, working: undefined, failures: 0, errors: others }
}

function jobDone(state: ArchiverState, archived: Txid | undefined): ArchiverState {
  const { working, due } = state
  const rest = due.filter(({ job }) => working?.kind !== 'job' || job !== working.job)
  const snapshotUploaded = state.snapshotUploaded && nameOf(working) !== 'snapshot'
  if (archived === undefined) return workDone({ ...state, due: rest, snapshotUploaded })
  const ahead = archived > state.archived ? archived : state.archived
  return workDone({ ...state, due: rest, snapshotUploaded, archived: ahead, needsSnapshot: false })
}

/** A snapshot stays due after its file is uploaded, because an entry must still name the file. */
function backgroundDone(state: ArchiverState): ArchiverState {
  if (state.background === 'snapshot') return { ...state, background: undefined, snapshotUploaded: true }
  const { drill: _, ...errors } = state.errors
  return { ...state, background: undefined, due: state.due.filter(({ job }) => job !== 'drill'), errors }
}

/**
 * A failure in the background adds no entry, so the content of the chain is still known and needs no new claim. If a drill
 * found damage, a snapshot is due, from which the present state can be restored again.
 */
function backgroundFailed(state: ArchiverState, failure: Failure, nowMs: number): ArchiverState {
  const { background, due, errors } = state
  if (background === undefined) return state
  const rest = due.filter(({ job }) => job !== background)
  const after = { ...state, background: undefined, due: rest, errors: { ...errors, [background]: failure } }
  const foundDamage = background === 'drill' && failure.code === 'archive_damaged'
  return foundDamage ? withDue(after, 'snapshot', nowMs) : after
}

/**
 * Drops the failed job until its next schedule. A needed snapshot stays needed. Each retry waits twice as long, up to a limit.
 */
function failed(
  state: ArchiverState,
  { failure, final }: Extract<ArchiverEvent, { kind: 'failed' }>,
  nowMs: number,
  { retryBaseMs, retryMaxMs }: ArchiverRules,
): ArchiverState {
  const { working, failures } = state
  const waitMs = Math.min(retryMaxMs, retryBaseMs * 2 ** failures)
  return {
    ...state,
    claimed: false,
    ended: state.ended || final,
    working: undefined,
    snapshotUploaded: state.snapshotUploaded && nameOf(working) !== 'snapshot',
    due: state.due.filter(({ job }) => working?.kind !== 'job' || job !== working.job),
    failures: failures + 1,
    retryAtMs: nowMs + waitMs,
    errors: { ...state.errors, [nameOf(working)]: failure },
  }
}

function withLag(state: ArchiverState, nowMs: number): ArchiverState {
  const behind = state.archived < state.committed
  return { ...state, behindSinceMs: behind ? (state.behindSinceMs ?? nowMs) : undefined }
}
