/**
 * The archiver's core: decides what work starts next. Pure.
 *
 * 1. Work on the chain runs one at a time, because each ends with an entry of the chain.
 * 2. Uploads go before jobs. A due job waits for its turn; a failed job waits for its next schedule.
 * 3. After any failure the content of the archive is unknown, so a claim comes before any other work.
 * 4. Large work (a snapshot's file, a drill) runs in a second lane, so that no upload waits for it.
 */
import { TXID_NONE, type Txid } from '../../shared/ids.ts'
import { nextAside, nextInChain, wakeAt } from './lanes.ts'
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
  const state = withLag(take(before, event, nowMs, rules), nowMs)
  const working = nextInChain(state, nowMs)
  const chained = working === undefined ? state : withWorking(state, working, nowMs, rules)
  const beside = nextAside(chained, nowMs)
  const started = beside === undefined ? chained : { ...chained, aside: beside.job, asideSinceMs: nowMs }
  const start = [working, beside].filter((work) => work !== undefined)
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

function take(state: ArchiverState, event: ArchiverEvent, nowMs: number, rules: ArchiverRules): ArchiverState {
  switch (event.kind) {
    case 'committed':
      return { ...state, committed: event.txid }
    case 'due':
      return state.due.some(({ job }) => job === event.job) ? state : withDue(state, event.job, nowMs)
    case 'hurry':
      return { ...state, nextRoundMs: Math.min(state.nextRoundMs, nowMs) }
    case 'claimed':
      // The count of failures stays: the work that failed after the last claim may fail again.
      return { ...done({ ...state, claimed: true, ...pick(event) }), failures: state.failures }
    case 'uploaded':
      return done({ ...state, archived: event.archived })
    case 'gap':
      return done({ ...state, needsSnapshot: true })
    case 'job done':
      return jobDone(state, event.archived)
    case 'failed':
      return failed(state, event, nowMs, rules)
    case 'aside done':
      return asideDone(state)
    case 'aside failed':
      return asideFailed(state, event.failure)
    case 'repair':
      return { ...state, claimed: false, retryAtMs: nowMs }
    case 'tick':
      return state
  }
}

function pick({
  archived,
  needsSnapshot,
}: Extract<ArchiverEvent, { kind: 'claimed' }>): Pick<ArchiverState, 'archived' | 'needsSnapshot'> {
  return { archived, needsSnapshot }
}

/** A heartbeat reads back what was committed when it became due, so it waits until that is archived. */
function withDue(state: ArchiverState, job: JobName, sinceMs: number): ArchiverState {
  const needs = job === 'heartbeat' ? state.committed : TXID_NONE
  return { ...state, due: [...state.due, { job, sinceMs, needs }] }
}

function done(state: ArchiverState): ArchiverState {
  const { working, errors } = state
  const { [nameOf(working)]: _, ...others } = errors
  return { ...state, working: undefined, failures: 0, errors: others }
}

function jobDone(state: ArchiverState, archived: Txid | undefined): ArchiverState {
  const { working, due } = state
  const rest = due.filter(({ job }) => working?.kind !== 'job' || job !== working.job)
  const prepared = state.prepared && nameOf(working) !== 'snapshot'
  if (archived === undefined) return done({ ...state, due: rest, prepared })
  const ahead = archived > state.archived ? archived : state.archived
  return done({ ...state, due: rest, prepared, archived: ahead, needsSnapshot: false })
}

/** After its file is uploaded a snapshot stays due, because an entry still has to name it. */
function asideDone(state: ArchiverState): ArchiverState {
  if (state.aside === 'snapshot') return { ...state, aside: undefined, prepared: true }
  const { drill: _, ...errors } = state.errors
  return { ...state, aside: undefined, due: state.due.filter(({ job }) => job !== 'drill'), errors }
}

/** A failure beside the chain needs no new claim: the content of the chain is still known. */
function asideFailed(state: ArchiverState, failure: Failure): ArchiverState {
  const { aside, due, errors } = state
  if (aside === undefined) return state
  const rest = due.filter(({ job }) => job !== aside)
  return { ...state, aside: undefined, due: rest, errors: { ...errors, [aside]: failure } }
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
    prepared: state.prepared && nameOf(working) !== 'snapshot',
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
