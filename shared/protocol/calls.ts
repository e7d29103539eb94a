/**
 * Every call and message that a node answers, with the most that one can cost and the limit on many of them. Nodes count calls
 * in flight by this list, and docs/calls.md is generated from it.
 */
import {
  BUNDLE_BYTES_MAX,
  COVERAGE_WAIT_MS_MAX,
  GROUP_DECIDING_MS_MAX,
  HMACS_TOTAL_MAX,
  MIN_POSITION_WAITERS_MAX,
  OTHERS_IN_GROUP_MIN,
  RECORDS_COUNTED_MAX,
  REQUESTS_IN_FLIGHT_MAX,
  SIGN_CALLS_IN_FLIGHT_MAX,
  TOKEN_BYTES_MAX,
  UNRECORDED_A_SECOND,
  UNRECORDED_AT_ONCE,
  WALK_ROWS_A_TURN,
  WALKS_WAITING_MAX,
  WRITES_QUEUED_MAX,
} from '../limits.ts'

/** The kind that a call on `sign` or `admin` is counted as. */
export type CallKind = keyof typeof SIGN_CALLS_IN_FLIGHT_MAX

export interface CallCost {
  readonly kind: CallKind
  /** The most that one call costs. */
  readonly cost: string
  /** Further limits, beside the calls in flight of its kind. */
  readonly bound: string
}

const QUEUE = `waits with at most ${WRITES_QUEUED_MAX} others; callers and orgs take turns`
const AHEAD = `in a queue ahead of every other write, which keeps ${OTHERS_IN_GROUP_MIN} places of each group; callers and orgs take turns`
const WALK = `one walk at a time, callers take turns, ${WALKS_WAITING_MAX} wait; it ends with its caller`

const write = (cost: string): CallCost => ({ kind: 'writing', cost, bound: QUEUE })
const revoke = (cost: string, bound: string = AHEAD): CallCost => ({ kind: 'revoking', cost, bound })
const present = (cost: string): CallCost => ({
  kind: 'presenting',
  cost,
  bound: `a queue of its own, last in each group, which it ends after ${GROUP_DECIDING_MS_MAX} ms; ${QUEUE}`,
})
const walk = (cost: string): CallCost => ({ kind: 'walking', cost, bound: WALK })
const look = (cost: string): CallCost => ({ kind: 'looking', cost, bound: 'nothing is read from the disk' })

const ONE_ROW = 'one row in a shared transaction'
const SLICES = `in slices of ${WALK_ROWS_A_TURN} rows`
const UNRECORDED = `of ids without a record ${UNRECORDED_AT_ONCE} at once and ${UNRECORDED_A_SECOND} a second an org`

export type SignMethod =
  | 'org.create'
  | 'org.list'
  | 'org.rotate-key'
  | 'org.retire-key'
  | 'org.disable'
  | 'token.mint'
  | 'token.revoke'
  | 'tokens.count'
  | 'issued.revoke'
  | 'token.discharge'
  | 'token.exchange'
  | 'third-party.add'
  | 'third-party.list'
  | 'third-party.remove'
  | 'revocations.coverage'
  | 'revocations.list'
  | 'revocations.find'
  | 'revocations.pending'
  | 'revocations.adopt'
  | 'revocations.forget'
  | 'kek.rotate'

export const SIGN_CALLS: Readonly<Record<SignMethod, CallCost>> = {
  'org.create': write('two rows and a new key in a shared transaction'),
  'org.list': look('the orgs and keys in memory, once, for a page of them'),
  'org.rotate-key': write('a new key, and the keys in memory, once'),
  'org.retire-key': revoke(ONE_ROW),
  'org.disable': revoke(ONE_ROW),
  'token.mint': write('two rows in a shared transaction'),
  'token.revoke': revoke(`${ONE_ROW}, about 20 rows read in its turn`, `${AHEAD}; ${UNRECORDED}`),
  'tokens.count': walk(`the last ${RECORDS_COUNTED_MAX} mints, ${SLICES}, once for all who wait`),
  'issued.revoke': revoke(ONE_ROW),
  'token.discharge': present(`verifying ${BUNDLE_BYTES_MAX} bytes of tokens, ${HMACS_TOTAL_MAX} HMACs at most`),
  'token.exchange': present(`verifying ${BUNDLE_BYTES_MAX} bytes of tokens, ${HMACS_TOTAL_MAX} HMACs at most`),
  'third-party.add': write('one row and a new key in a shared transaction'),
  'third-party.list': look('the third parties in memory, at most 100'),
  'third-party.remove': write(ONE_ROW),
  'revocations.coverage': {
    kind: 'waiting',
    cost: `a look at the leases, and ${COVERAGE_WAIT_MS_MAX} ms of waiting`,
    bound: 'nothing is read from the disk',
  },
  'revocations.list': walk(`10,000 revocations, ${SLICES}`),
  'revocations.find': walk(`all revocations, ${SLICES}`),
  'revocations.pending': look('one page of what waits in memory; operators only'),
  'revocations.adopt': write('a page of revocations in a shared transaction; operators only'),
  'revocations.forget': write('a page of rows in a shared transaction; operators only'),
  'kek.rotate': write('every key sealed again, in one transaction; operators only'),
}

export type PrimaryAdminMethod = 'status' | 'audit.verify' | 'archive.snapshot' | 'archive.compact' | 'archive.repair'

export const PRIMARY_ADMIN_CALLS: Readonly<Record<PrimaryAdminMethod, CallCost>> = {
  status: look('a look at every replica and archive'),
  'audit.verify': {
    kind: 'walking',
    cost: 'one slice of the audit; the next call says where to go on',
    bound: 'operators only',
  },
  'archive.snapshot': look('a job of the archive that is due already is not due twice'),
  'archive.compact': look('jobs of the archive that are due already are not due twice'),
  'archive.repair': look('what was found out before; the repair itself is a job of the archive, one at a time'),
}

/** Calls without a kind: `admin` of a replica, and the channels of its workers. They are limited by connection or peer. */
interface Bounded {
  readonly cost: string
  readonly bound: string
}

const OPERATORS = `${SIGN_CALLS_IN_FLIGHT_MAX.walking} calls in flight a peer; operators only`
const VERIFY = `${REQUESTS_IN_FLIGHT_MAX} calls in flight a connection; peers take turns, all unlisted ones together one`

export const REPLICA_CALLS: Readonly<Record<'admin' | 'verify' | 'feed', Readonly<Record<string, Bounded>>>> = {
  admin: {
    status: {
      cost: 'a look at its own state',
      bound: `${SIGN_CALLS_IN_FLIGHT_MAX.looking} calls in flight a peer; operators only`,
    },
    'revocations.known': { cost: 'one page of revocations', bound: OPERATORS },
    'audit.verify': { cost: 'one slice of the audit', bound: OPERATORS },
  },
  verify: {
    verify: {
      cost: `a bundle of ${BUNDLE_BYTES_MAX} bytes, a token of ${TOKEN_BYTES_MAX}, ${HMACS_TOTAL_MAX} HMACs at most`,
      bound: `${VERIFY}; ${MIN_POSITION_WAITERS_MAX} may wait for a state`,
    },
    explain: { cost: 'twice a verification, and an answer of at most 1 MiB', bound: VERIFY },
  },
  feed: {
    ping: { cost: 'a look at the lease', bound: 'answered once a ping; a worker that reads nothing is cut off' },
    applied: { cost: 'a note in memory', bound: 'one a process of a worker' },
  },
}
