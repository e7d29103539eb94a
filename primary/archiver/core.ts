/**
 * The archiver's core: what to do next, one thing at a time, because each ends with an entry of one chain. Uploads go ahead
 * of everything else; a job that is due waits for its turn, and one that fails waits for its next date. After any failure
 * it is not known what is in the archive, so it is looked up before anything else is done.
 */
import { TXID_NONE, type Txid } from '../../shared/ids.ts'

export type JobName = 'snapshot' | 'compact 1' | 'compact 2' | 'compact 3' | 'retain' | 'drill' | 'heartbeat'

export type Work =
  /** Read what is there, and lead. */
  | { readonly kind: 'claim' }
  /** The transactions after `after` that are committed. */
  | { readonly kind: 'upload'; readonly after: Txid }
  | { readonly kind: 'job'; readonly job: JobName }

export interface ArchiverRules {
  /** Between the starts of two uploads, so that many transactions share the cost of a round; 0 for none. */
  readonly roundMs: number
  readonly retryBaseMs: number
  readonly retryMaxMs: number
  /** A transaction that waits longer, or a job that does, is worth an alarm; so is one that works ten times as long. */
  readonly lateMs: number
}

/** A job that waits for its turn, and for the transactions up to `needs` to be in the archive. */
interface Due {
  readonly job: JobName
  readonly sinceMs: number
  readonly needs: Txid
}

export interface ArchiverState {
  readonly claimed: boolean
  /** Another primary leads, or this archive is not ours: nothing is written any more. */
  readonly ended: boolean
  readonly working: Work | undefined
  readonly workingSinceMs: number
  readonly committed: Txid
  /** Everything up to here is in the archive and in its manifest. */
  readonly archived: Txid
  /** Since when transactions wait, monotonic milliseconds. */
  readonly behindSinceMs: number | undefined
  /** No chain leads on from what is there: a snapshot comes first. */
  readonly needsSnapshot: boolean
  readonly nextRoundMs: number
  readonly due: readonly Due[]
  readonly failures: number
  readonly retryAtMs: number
  /** Of the last failure, until what failed has succeeded. */
  readonly errors: Readonly<Partial<Record<'claim' | 'upload' | JobName, string>>>
}

export type ArchiverEvent =
  | { readonly kind: 'committed'; readonly txid: Txid }
  | { readonly kind: 'due'; readonly job: JobName }
  | { readonly kind: 'claimed'; readonly archived: Txid; readonly needsSnapshot: boolean }
  | { readonly kind: 'uploaded'; readonly archived: Txid }
  /** The next transaction is no longer in the log: what is between it and the head is lost as single transactions. */
  | { readonly kind: 'gap' }
  /** A snapshot says up to where it goes. */
  | { readonly kind: 'job done'; readonly archived: Txid | undefined }
  | { readonly kind: 'failed'; readonly message: string; readonly final: boolean }
  | { readonly kind: 'tick' }

export interface ArchiverStep {
  readonly state: ArchiverState
  readonly start: Work | undefined
  /** When to come back with a tick, monotonic milliseconds; undefined when only an event can change anything. */
  readonly wakeAtMs: number | undefined
}

export function startArchiver(committed: Txid): ArchiverState {
  return {
    claimed: false,
    ended: false,
    working: undefined,
    workingSinceMs: 0,
    committed,
    archived: TXID_NONE,
    behindSinceMs: undefined,
    needsSnapshot: false,
    nextRoundMs: 0,
    due: [],
    failures: 0,
    retryAtMs: 0,
    errors: {},
  }
}

export function step(before: ArchiverState, event: ArchiverEvent, nowMs: number, rules: ArchiverRules): ArchiverStep {
  const state = withLag(take(before, event, nowMs, rules), nowMs)
  const start = next(state, nowMs)
  if (start === undefined) return { state, start, wakeAtMs: wakeAt(state) }
  const nextRoundMs = start.kind === 'upload' ? nowMs + rules.roundMs : state.nextRoundMs
  return { state: { ...state, working: start, workingSinceMs: nowMs, nextRoundMs }, start, wakeAtMs: undefined }
}

const WORKS_LONG = 10

/** What an operator should look at, in words. */
export function alertsOf(state: ArchiverState, nowMs: number, { lateMs }: ArchiverRules): readonly string[] {
  const failures = Object.entries(state.errors).map(([what, message]) => `${what} fails: ${message}`)
  const behind = state.behindSinceMs !== undefined && nowMs - state.behindSinceMs > lateMs
  const stall = behind ? [`${state.committed - state.archived} transactions wait for the archive`] : []
  const { working, workingSinceMs } = state
  const waiting = state.due.filter(({ job }) => working?.kind !== 'job' || working.job !== job)
  const late = waiting.filter(({ sinceMs }) => nowMs - sinceMs > lateMs).map(({ job }) => `${job} is late`)
  const long = working !== undefined && nowMs - workingSinceMs > WORKS_LONG * lateMs
  return [...failures, ...stall, ...late, ...(long ? [`${nameOf(working)} has not ended for long`] : [])]
}

function take(state: ArchiverState, event: ArchiverEvent, nowMs: number, rules: ArchiverRules): ArchiverState {
  switch (event.kind) {
    case 'committed':
      return { ...state, committed: event.txid }
    case 'due':
      return state.due.some(({ job }) => job === event.job) ? state : withDue(state, event.job, nowMs)
    case 'claimed':
      // The failures stay counted: what failed after the last claim may fail again.
      return { ...done({ ...state, claimed: true, ...pick(event) }), failures: state.failures }
    case 'uploaded':
      return done({ ...state, archived: event.archived })
    case 'gap':
      return done({ ...state, needsSnapshot: true })
    case 'job done':
      return jobDone(state, event.archived)
    case 'failed':
      return failed(state, event, nowMs, rules)
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

/** A heartbeat proves that what is committed now arrives: it has nothing to look at before that has. */
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
  if (archived === undefined) return done({ ...state, due: rest })
  const ahead = archived > state.archived ? archived : state.archived
  return done({ ...state, due: rest, archived: ahead, needsSnapshot: false })
}

/** A job that failed is not due any more; a snapshot that is needed stays needed. */
function failed(
  state: ArchiverState,
  { message, final }: Extract<ArchiverEvent, { kind: 'failed' }>,
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
    due: state.due.filter(({ job }) => working?.kind !== 'job' || job !== working.job),
    failures: failures + 1,
    retryAtMs: nowMs + waitMs,
    errors: { ...state.errors, [nameOf(working)]: message },
  }
}

function nameOf(work: Work | undefined): 'claim' | 'upload' | JobName {
  return work === undefined || work.kind === 'claim' ? 'claim' : work.kind === 'job' ? work.job : 'upload'
}

function withLag(state: ArchiverState, nowMs: number): ArchiverState {
  const behind = state.archived < state.committed
  return { ...state, behindSinceMs: behind ? (state.behindSinceMs ?? nowMs) : undefined }
}

function next(state: ArchiverState, nowMs: number): Work | undefined {
  if (state.ended || state.working !== undefined || nowMs < state.retryAtMs) return undefined
  if (!state.claimed) return { kind: 'claim' }
  if (state.needsSnapshot) return { kind: 'job', job: 'snapshot' }
  if (state.archived < state.committed && nowMs >= state.nextRoundMs) return { kind: 'upload', after: state.archived }
  const first = state.due.find(({ needs }) => needs <= state.archived)
  return first === undefined ? undefined : { kind: 'job', job: first.job }
}

function wakeAt(state: ArchiverState): number | undefined {
  if (state.ended || state.working !== undefined) return undefined
  if (!state.claimed || state.needsSnapshot) return state.retryAtMs
  return state.archived < state.committed ? Math.max(state.nextRoundMs, state.retryAtMs) : undefined
}
