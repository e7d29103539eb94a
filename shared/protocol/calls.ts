/**
 * Every call and message that a node answers, with the highest cost of one and the limit on their number. Nodes count calls in
 * flight by this list, and docs/calls.md is generated from it.
 */
import {
  BUNDLE_BYTES_MAX,
  COVERAGE_WAIT_MS_MAX,
  GROUP_DECIDING_MS_MAX,
  HMACS_TOTAL_MAX,
  LIST_RECORDS_READ_MAX,
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
const WALK = `one scan at a time; callers take turns, and at most ${WALKS_WAITING_MAX} wait; a scan ends when its caller disconnects`

const write = (cost: string): CallCost => ({ kind: 'writing', cost, bound: QUEUE })
const revoke = (cost: string, bound: string = AHEAD): CallCost => ({ kind: 'revoking', cost, bound })
const present = (cost: string): CallCost => ({
  kind: 'presenting',
  cost,
  bound: `in a queue of its own, last in each group, and for at most ${GROUP_DECIDING_MS_MAX} ms of a group; ${QUEUE}`,
})
const scan = (cost: string): CallCost => ({ kind: 'scanning', cost, bound: WALK })
const readMemory = (cost: string): CallCost => ({ kind: 'reading', cost, bound: 'nothing is read from the disk' })

const ONE_ROW = 'one row in a shared transaction'
const SLICES = `in slices of ${WALK_ROWS_A_TURN} rows`
const WHOAMI = 'reads one entry of the list of peers in memory'
const UNRECORDED = `ids without a record: ${UNRECORDED_AT_ONCE} at once, then ${UNRECORDED_A_SECOND} a second for each org`

export type SignMethod =
  | 'org.create'
  | 'org.list'
  | 'org.rotate-key'
  | 'org.retire-key'
  | 'org.disable'
  | 'token.mint'
  | 'token.revoke'
  | 'token.show'
  | 'tokens.count'
  | 'tokens.list'
  | 'tokens.made-from'
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
  | 'whoami'

export const SIGN_CALLS: Readonly<Record<SignMethod, CallCost>> = {
  'org.create': write('two rows and a new key in a shared transaction'),
  'org.list': readMemory('the orgs and keys in memory, once, for a page of them'),
  'org.rotate-key': write('a new key, and the keys in memory, once'),
  'org.retire-key': revoke(ONE_ROW),
  'org.disable': revoke(ONE_ROW),
  'token.mint': write('two rows in a shared transaction'),
  'token.revoke': revoke(`${ONE_ROW}, about 20 rows read in its turn`, `${AHEAD}; ${UNRECORDED}`),
  'token.show': scan(`about 60 rows; the audit once, ${SLICES}, if few of its records are mints`),
  'tokens.count': scan(`the last ${RECORDS_COUNTED_MAX} mints, ${SLICES}, once for all who wait`),
  'tokens.list': scan(
    `${LIST_RECORDS_READ_MAX} mints of the org and its exchanges among them, and the keys of all mints since the last such call, ${SLICES}`,
  ),
  'tokens.made-from': scan(
    `${LIST_RECORDS_READ_MAX} exchanges of the org, and the keys of all exchanges since the last such call, ${SLICES}`,
  ),
  'issued.revoke': revoke(ONE_ROW),
  'token.discharge': present(`verifying ${BUNDLE_BYTES_MAX} bytes of tokens, ${HMACS_TOTAL_MAX} HMACs at most`),
  'token.exchange': present(`verifying ${BUNDLE_BYTES_MAX} bytes of tokens, ${HMACS_TOTAL_MAX} HMACs at most`),
  'third-party.add': write('one row and a new key in a shared transaction'),
  'third-party.list': readMemory('the third parties in memory, at most 100'),
  'third-party.remove': write(ONE_ROW),
  'revocations.coverage': {
    kind: 'waiting',
    cost: `reads the leases in memory, and waits ${COVERAGE_WAIT_MS_MAX} ms`,
    bound: 'nothing is read from the disk',
  },
  'revocations.list': scan(`10,000 revocations, ${SLICES}`),
  'revocations.find': scan(`all revocations, ${SLICES}`),
  'revocations.pending': readMemory('one page of the waiting denials in memory; operators only'),
  'revocations.adopt': write('a page of revocations in a shared transaction; operators only'),
  'revocations.forget': write('a page of rows in a shared transaction; operators only'),
  'kek.rotate': write('every key sealed again, in one transaction; operators only'),
  whoami: readMemory(WHOAMI),
}

export type PrimaryAdminMethod =
  | 'status'
  | 'reload'
  | 'audit.verify'
  | 'audit.list'
  | 'archive.snapshot'
  | 'archive.compact'
  | 'archive.repair'

const RELOAD = 'reads the configuration file, at most 1 MiB, and compares its peers with those in force'
const AUDIT_SLICE = 'one slice of the audit; the next call continues after it'

export const PRIMARY_ADMIN_CALLS: Readonly<Record<PrimaryAdminMethod, CallCost>> = {
  status: readMemory('reads the state of every replica and archive in memory'),
  reload: { kind: 'scanning', cost: `${RELOAD}; one audit record`, bound: 'operators only' },
  'audit.verify': {
    kind: 'scanning',
    cost: AUDIT_SLICE,
    bound: 'operators only',
  },
  'audit.list': { kind: 'scanning', cost: AUDIT_SLICE, bound: 'operators only' },
  'archive.snapshot': readMemory('makes one job of the archive due; a job that is due already does not run twice'),
  'archive.compact': readMemory('makes jobs of the archive due; a job that is due already does not run twice'),
  'archive.repair': readMemory(
    'reads the losses that were found before; the repair itself is a job of the archive, one at a time',
  ),
}

/** Calls without a kind: `admin` of a replica, and the channels of its workers. They are limited by connection or peer. */
interface Bounded {
  readonly cost: string
  readonly bound: string
}

const OPERATORS = `${SIGN_CALLS_IN_FLIGHT_MAX.scanning} calls in flight a peer; operators only`
const VERIFY = `${REQUESTS_IN_FLIGHT_MAX} calls in flight a connection; peers take turns, and all unlisted peers share one turn`

export const REPLICA_CALLS: Readonly<Record<'admin' | 'verify' | 'feed', Readonly<Record<string, Bounded>>>> = {
  admin: {
    status: {
      cost: 'reads its own state in memory',
      bound: `${SIGN_CALLS_IN_FLIGHT_MAX.reading} calls in flight a peer; operators only`,
    },
    reload: { cost: RELOAD, bound: OPERATORS },
    'revocations.known': {
      cost: 'one page of revocations; once in a walk, a comparison of all pages, which all callers share',
      bound: OPERATORS,
    },
    'audit.verify': { cost: AUDIT_SLICE, bound: OPERATORS },
    'audit.list': { cost: AUDIT_SLICE, bound: OPERATORS },
  },
  verify: {
    verify: {
      cost: `a bundle of ${BUNDLE_BYTES_MAX} bytes, a token of ${TOKEN_BYTES_MAX}, ${HMACS_TOTAL_MAX} HMACs at most`,
      bound: `${VERIFY}; ${MIN_POSITION_WAITERS_MAX} may wait for a state`,
    },
    explain: { cost: 'twice a verification, and an answer of at most 1 MiB', bound: VERIFY },
    whoami: { cost: WHOAMI, bound: VERIFY },
  },
  feed: {
    ping: {
      cost: 'reads the lease in memory',
      bound: 'one answer a ping; a worker that reads nothing is disconnected',
    },
    applied: { cost: 'one entry in memory', bound: 'one entry for each process of a worker' },
  },
}
