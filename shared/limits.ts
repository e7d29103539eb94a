/**
 * Every limit on input from outside, and every interval and timeout, in one place. Limits that depend on each other are
 * asserted together at the end. A name ends with its unit.
 */
import { assert } from './errors.ts'

// Tokens. libmacaroons allows 32 KiB a field; a token of this authority has a few hundred bytes.
export const TOKEN_BYTES_MAX: number = 16 * 1024
export const TOKEN_TEXT_CHARS_MAX: number = Math.ceil((TOKEN_BYTES_MAX * 4) / 3) + 16
export const CAVEATS_MAX = 100
/** Discharges in one bundle, nested ones included. */
export const DISCHARGES_MAX = 64
/** The text form of a bundle is ASCII, so its characters are bytes. */
export const BUNDLE_BYTES_MAX: number = 256 * 1024
export const CAVEAT_BYTES_MAX = 4096
export const LOCATION_BYTES_MAX = 1024
/** At least the limit of a caveat, because the identifier of a discharge is the ticket in a caveat of another macaroon. */
export const IDENTIFIER_BYTES_MAX = 4096
/** Depth of nested discharges: a discharge may itself need a discharge. */
export const DISCHARGE_DEPTH_MAX = 8
/** Caveats of a token and of all discharges in its bundle. */
export const CAVEATS_TOTAL_MAX = 1_000
/** Work on one bundle: HMACs plus boxes opened, and attempts to match a discharge with a caveat. */
export const HMACS_TOTAL_MAX = 8_192
export const DISCHARGE_TRIALS_MAX = 1_024
/** Bytes of the first-party caveats of a bundle, because a caveat is compiled before it is judged: 64 for each caveat. */
export const CAVEAT_BYTES_TOTAL_MAX: number = 64 * CAVEATS_TOTAL_MAX
/** The condition inside a ticket, which the third party must check. */
export const CONDITION_BYTES_MAX = 2_048
export const SUBJECT_BYTES_MAX = 255
export const REASON_CHARS_MAX = 500
/** Records of a replica's own files, as JSON. A longer record is refused when it is written, not when it is read. */
export const JOURNAL_RECORD_BYTES_MAX = 4096
export const DENIAL_RECORD_BYTES_MAX: number = 16 * 1024
/** Denials that a primary adopts without an operator, from one replica in one epoch. */
export const ADOPTED_MAX = 1_000
/** Denials that one replica reports at a time. It reports the next ones once these are adopted or forgotten. */
export const DENIALS_REPORTED_MAX = 10_000
/** Limit of such a report in characters of JSON, because the longest row allowed is a hundred times an honest one. */
export const DENIALS_REPORTED_CHARS_MAX: number = 16 * 1024 * 1024
/** Denials that one call adopts, forgets or shows. */
export const DENIALS_CALL_MAX = 500
export const ANCESTORS_MAX = 4
/** Key-encryption keys in a ring: the one that seals, and its predecessors. */
export const KEKS_MAX = 9
export const REQUEST_ID_CHARS_MAX = 64
/** Request ids whose answers are kept, so that a repeated request gets its first answer. */
export const REQUESTS_KEPT_MAX = 10_000
/** Mint records that are counted to estimate how many tokens a revocation applies to. */
export const RECORDS_COUNTED_MAX = 50_000
/** Rows that a scan of stored data reads in one turn of the event loop: a few milliseconds of work. */
export const WALK_ROWS_A_TURN = 2_000
/**
 * Calls on `sign` and `admin` that one peer may have in flight over all of its connections, by the kind of call. A peer that
 * revokes a thousand subjects at once is an honest peer.
 */
export const SIGN_CALLS_IN_FLIGHT_MAX = {
  revoking: 1_024,
  writing: 1_024,
  presenting: 256,
  waiting: 1_024,
  scanning: 8,
  reading: 64,
} as const
/**
 * Burst and rate of revocations of token ids that neither a mint record nor a token proves to exist. After a restore that
 * lost mint records such a revocation is honest, but each of these rows stays for ever.
 */
export const UNRECORDED_AT_ONCE = 1_000
export const UNRECORDED_A_SECOND = 1
/** How much older than its key a token may look: a wall clock may be behind the issue clock. */
export const BEFORE_KEY_MS_MAX = 60_000
/** Calls that wait for a scan, and calls that wait for a count. One scan serves every count that waits. */
export const WALKS_WAITING_MAX = 64
export const COUNTS_WAITING_MAX = 64
/** Subjects that one count compares with the requested one, and similar subjects that it shows of each kind. */
export const SUBJECTS_COMPARED_MAX = 10_000
export const SUBJECTS_SHOWN_MAX = 5
/** Revocations shown for one token or org. */
export const REVOCATIONS_FOUND_MAX = 20
/** Records that one call of a list reads, and rows in its answer. A caller that wants more calls again. */
export const LIST_RECORDS_READ_MAX = 10_000
export const TOKENS_PAGE_MAX = 1_000
export const ORG_CHARS_MAX = 64
export const LIST_ITEMS_MAX = 256
/** Characters of JSON for a list in one answer; one character of a reason may take six. The next call returns the rest. */
export const LIST_CHARS_MAX: number = 256 * 1024
export const PREDICATE_CACHE_ENTRIES_MAX = 4096
export const PREDICATE_CACHED_BYTES_MAX = 256
export const ACCESS_KEYS_MAX = 64
export const ACCESS_KEY_CHARS_MAX = 64
export const ACCESS_VALUE_CHARS_MAX = 4096
/** All values of an access. It is the longest list of values with 512 characters each. */
export const ACCESS_CHARS_MAX: number = LIST_ITEMS_MAX * 512
/** Comparisons of a value with a caveat, for one bundle: every caveat of the longest token with the longest list, and more. */
export const COMPARISONS_MAX = 32_768
export const TTL_SECONDS_MAX: number = 100 * 365 * 86_400
/** M in ARCHITECTURE.md: a service token expires at most this long after its exchange. */
export const SERVICE_TTL_SECONDS_MAX: number = 90 * 86_400
/**
 * A revocation is kept for this long after the last token that it denies has expired. The margin is far larger than the error
 * of a clock that a node believes.
 */
export const PURGE_MARGIN_SECONDS: number = 30 * 86_400
/** Rows that a purge deletes in one transaction, and slots of the table in memory that a sweep visits in one turn. */
export const PURGE_ROWS_MAX = 1_000
export const SWEEP_SLOTS_MAX = 32_768
/** Lifetime of a discharge that the authority issues as a third party. */
export const AUTHORITY_DISCHARGE_TTL_SECONDS = 60
/** Tokens presented for one discharge of the authority. */
export const PRESENTED_MAX = 4
/** The authority may try the key of each third party on a ticket, at the cost of one X25519 agreement each. */
export const THIRD_PARTIES_MAX = 100

// The discharge protocol. A request holds a ticket and an answer holds a discharge, both as text.
export const DISCHARGE_REQUEST_BYTES_MAX: number = 16 * 1024
export const DISCHARGE_RESPONSE_BYTES_MAX: number = 64 * 1024
export const DISCHARGE_KEYS_MAX = 16
export const DISCHARGE_FLOWS_MAX = 10_000
export const DISCHARGE_FLOW_TTL_MS: number = 10 * 60_000
export const DISCHARGE_REQUESTS_AT_ONCE_MAX = 8
export const DISCHARGE_REQUEST_TIMEOUT_MS = 10_000
export const DISCHARGE_TIMEOUT_MS: number = 10 * 60_000
export const DISCHARGE_POLL_BASE_MS = 500
export const DISCHARGE_POLL_MS_MAX = 10_000
export const URL_CHARS_MAX = 2_048

// Foreign macaroons in the offline toolbox: the field size of libmacaroons, with far fewer fields than it allows.
export const OFFLINE_MACAROON_BYTES_MAX: number = 128 * 1024
export const OFFLINE_FIELD_BYTES_MAX: number = 64 * 1024
export const OFFLINE_CAVEATS_MAX = 1_000
export const OFFLINE_HMACS_MAX = 300_000
export const OFFLINE_COMPARISONS_MAX = 10_000_000
export const OFFLINE_INPUT_BYTES_MAX: number = 1024 * 1024
export const KEY_FILE_BYTES_MAX: number = 64 * 1024

// The channel.
export const CONTROL_MESSAGE_BYTES_MAX: number = 1024 * 1024
export const BULK_CHUNK_BYTES: number = 60 * 1024
export const HELLO_BYTES_MAX: number = 16 * 1024
export const HANDSHAKE_TIMEOUT_MS = 3_000
/** A handshake takes 2 to 4 ms of a core. Beyond this rate handshakes wait, so that open connections are still served. */
export const HANDSHAKES_A_SECOND_MAX = 200
export const HANDSHAKES_AT_ONCE_MAX = 32
/** Handshakes running or waiting: as many as can be served before their dialers give up. */
export const HANDSHAKES_UNFINISHED_MAX = 512
/** Bytes that a peer may send before it is accepted: three Noise messages of under 1 KB each, and the hello. */
export const HANDSHAKE_BYTES_MAX: number = HELLO_BYTES_MAX + 8 * 1024
/** Short, because a dial that began while the network was cut can delay the reconnect by this much. */
export const CONNECT_TIMEOUT_MS = 1_000
export const CLOSE_TIMEOUT_MS = 10_000
export const CONNECTIONS_MAX = 4_096
export const CONNECTIONS_PER_PEER_MAX = 256
/** Connections of unlisted peers, where `verify` is open to all. The other half is reserved for listed peers. */
export const GUEST_CONNECTIONS_MAX: number = CONNECTIONS_MAX / 2
export const GUEST_CONNECTIONS_PER_ADDRESS_MAX = 32
/** Unlisted peers get at most this share of the node's time, and at most this long at a stretch. */
export const GUEST_TIME_SHARE = 0.6
export const GUEST_TIME_BURST_MS = 50
export const GUEST_REQUESTS_IN_FLIGHT_MAX = 64
export const READ_BUFFER_BYTES_MAX: number = 4 * 1024 * 1024
/** Limit for the undecoded bytes of a connection, and again for its decoded messages that no reader has taken yet. */
export const READ_QUEUE_BYTES_MAX: number = 1024 * 1024
export const WRITE_BACKLOG_BYTES_MAX: number = 8 * 1024 * 1024
export const HEARTBEAT_INTERVAL_MS = 1_000
export const HEARTBEAT_SILENCE_MS = 3_000
export const CONNECTION_AGE_MS_MAX: number = 24 * 3_600_000
/** Half of what a 32-bit Noise nonce allows, so a connection is replaced long before it would fail. */
export const NOISE_FRAMES_MAX: number = 2 ** 31
export const REQUESTS_IN_FLIGHT_MAX = 1_024
/** Calls are served for at most this long at a stretch, and then the event loop gets a turn. */
export const CALLS_SLICE_MS = 4
/** Default delay in an `overloaded` answer, and the longest delay that a client accepts from one. */
export const RETRY_AFTER_MS = 1_000
export const RETRY_AFTER_MS_MAX = 60_000
export const REQUEST_TIMEOUT_MS = 5_000
export const REQUESTS_CLOSE_TIMEOUT_MS = 2_000
export const METHOD_CHARS_MAX = 64
export const ACTOR_CHARS_MAX = 320
export const AUDIT_KIND_CHARS_MAX = 64
/** An explanation repeats the texts of caveats: its characters in total, those of one text, and how deep discharges nest. */
export const EXPLANATION_CHARS_MAX: number = 192 * 1024
export const EXPLAINED_TEXT_CHARS_MAX = 1_024
/** One text in a replica's answer: a caveat in hex, with the words around it. */
export const ANSWER_TEXT_CHARS_MAX = 16_384
export const EXPLAINED_DEPTH_MAX = 6
export const JSON_DEPTH_MAX = 32
export const ERROR_TEXT_CHARS_MAX = 2_048
export const RECONNECT_BACKOFF_BASE_MS = 20
export const RECONNECT_BACKOFF_MS_MAX = 500
export const REFUSED_BACKOFF_BASE_MS = 250
export const REFUSED_BACKOFF_MS_MAX = 5_000
/** A connection that lasted this long resets the backoff. A shorter one counts as another failed attempt. */
export const CONNECTION_SETTLED_MS = 1_000

// Freshness.
export const LEASE_MS_MAX = 3_600_000
export const PING_INTERVAL_MS_MIN = 20
export const CLOCK_RATE_ERROR_MAX = 0.1
/** Holders of leases at one grantor. A further holder gets no lease, so its verdicts are unavailable. */
export const LEASE_HOLDERS_MAX = 4_096
/** Processes of one peer that may hold leases at once, because the instances of a service may share one identity. */
export const BOOTS_PER_PEER_MAX = 16
export const WORKER_BOOTS_PER_PEER_MAX = 1_024
/** How long one call waits until a revocation binds everywhere. A caller that wants to wait longer calls again. */
export const COVERAGE_WAIT_MS_MAX = 2_000
/** A node stops believing its wall clock if it jumps, or differs from another node's, by more than this. */
export const CLOCK_JUMP_MS_MAX = 60_000
/** After a stop longer than this, a node needs more evidence of the time than its own wall clock. */
export const CLOCK_STOP_MS_MAX: number = 7 * 86_400_000

/** Replicas in a configuration, and in the list of them that a replica reports to a restore. */
export const REPLICAS_REPORTED_MAX = 1_024

// Shipping.
export const PAGE_BYTES = 4096
export const SEGMENT_BYTES_MAX: number = 256 * 1024 * 1024
/** The pages of a segment before compression, so that a small file cannot demand gigabytes of memory. */
export const SEGMENT_PAGES_BYTES_MAX: number = 240 * 1024 * 1024
export const GROUP_COMMANDS_MAX = 100
/** Places of a group that revocations leave to other writes. */
export const OTHERS_IN_GROUP_MIN = 10
/** A group of writes is closed once judging its presented tokens has taken this long, so pings and revocations get a turn. */
export const GROUP_DECIDING_MS_MAX = 50
export const WRITES_QUEUED_MAX = 10_000
/** Characters of the texts that wait in the queue of revocations, and in the queue of the other writes. */
export const REVOCATIONS_QUEUED_CHARS_MAX: number = 16 * 1024 * 1024
export const WRITES_QUEUED_CHARS_MAX: number = 64 * 1024 * 1024
/** S7: a revocation that no replica has confirmed within this time gets an indeterminate answer. */
export const REVOKE_DURABLE_TIMEOUT_MS = 2_000
/** How long a verification waits for its minimum position, and how many may wait at once. */
export const MIN_POSITION_WAIT_MS = 1_000
export const MIN_POSITION_WAITERS_MAX = 4_096
export const MIN_POSITION_WAITING_CHARS_MAX: number = 32 * 1024 * 1024

// The feed, and the caches of workers.
/** Revocations that a replica keeps for workers that were away. A worker that missed more starts with an empty cache. */
export const FEED_ROWS_KEPT = 8_192
/** Revocations, or acknowledgements, that are closer together than this share one message. */
export const FEED_PAUSE_MS = 4
/** A worker that reads nothing for this long is disconnected. */
export const FEED_STALL_MS_MAX = 2_000
/**
 * A worker leaves a replica that has answered no ping for the first of these times, or that has itself heard nothing from its
 * primary for the second.
 */
export const FEED_SILENCE_MS_MAX = 1_000
export const FEED_STALE_MS_MAX = 1_500
/** A worker follows a replica of another region for at most this long, and then tries its own region again. */
export const FOREIGN_FEED_MS_MAX = 10_000
export const CACHE_ENTRIES_DEFAULT = 100_000
export const CACHE_ENTRIES_MAX = 10_000_000
export const CACHE_BYTES_DEFAULT: number = 128 * 1024 * 1024
export const CACHE_BYTES_MAX: number = 16 * 1024 * 1024 * 1024

// The archive.
/** Size of one read from a storage backend: a broken connection wastes at most this, and a large file takes as much memory. */
export const ARCHIVE_READ_BYTES: number = 8 * 1024 * 1024
/** A signed document of the manifest. The largest is a base, which lists every file of the archive at about 250 bytes each. */
export const MANIFEST_DOCUMENT_BYTES_MAX: number = 512 * 1024 * 1024
/** Claims that one start creates for the epochs below its own, so that the claims have no gap. */
export const CLAIMS_FILLED_MAX = 1_000
/** Late entries of earlier epochs that a new primary reads past before its own first entry is in place. */
export const LATE_ENTRIES_MAX = 100
/** Transactions archived in one round, their bytes, and how many files are written at once. */
export const ARCHIVE_ROUND_SEGMENTS_MAX = 1_024
export const ARCHIVE_ROUND_BYTES_MAX: number = 64 * 1024 * 1024
export const ARCHIVE_REQUESTS_AT_ONCE = 8
/** More requests at once to a bucket, because its answers take longer. */
export const BUCKET_REQUESTS_AT_ONCE = 32
/** More than the files of the largest archive. A listing that is longer is treated as endless, and refused. */
export const BUCKET_OBJECTS_MAX = 20_000_000
/** Pieces of one large file that are read ahead. */
export const ARCHIVE_PIECES_AHEAD = 3
/** Parts of a multipart upload. S3 requires parts of at least 5 MiB, and at most 10,000 of them. */
export const S3_PART_BYTES_MIN: number = 8 * 1024 * 1024
export const S3_PARTS_MAX = 10_000
export const S3_PARTS_AT_ONCE = 4
/** An XML document of S3; the largest is a list of 1,000 objects. */
export const S3_DOCUMENT_BYTES_MAX: number = 8 * 1024 * 1024
/** Timeout of a request, and again of its answer: this long, plus the time that its bytes take at the minimum rate. */
export const S3_REQUEST_TIMEOUT_MS = 15_000
export const S3_BYTES_PER_MS_MIN = 100
export const S3_ATTEMPTS_MAX = 6
export const S3_RETRY_BASE_MS = 100
/** First delay after S3's `SlowDown` answer. */
export const S3_SLOW_DOWN_BASE_MS = 500
export const S3_RETRY_MS_MAX = 10_000
/** Pages held in memory while segments are merged. */
export const MERGE_BYTES_MAX: number = 64 * 1024 * 1024
/** Pages of one merged file. It is small because the primary merges between commits. */
export const COMPACTION_BYTES_MAX: number = 8 * 1024 * 1024
/**
 * A restored database starts this many transactions after the last known one, in case the lost primary committed more. Each
 * claimed epoch with no known transaction adds as many again.
 */
export const RESTORE_TXID_JUMP: number = 2 ** 20

// Standard output and standard error of a node.
/** Bytes of lines that wait for the reader, or for room on the disk. Further lines are dropped. */
export const OUTPUT_WAITING_BYTES_MAX: number = 256 * 1024
export const OUTPUT_RETRY_MS_MAX = 1_000
/** How long the last lines may delay the exit of a process. */
export const OUTPUT_LAST_MS_MAX = 250

// Metrics over HTTP: an answer has a few kilobytes, and there are only a few clients.
export const METRICS_CONNECTIONS_MAX = 16
export const METRICS_REQUEST_MS_MAX = 5_000
/** A connection is closed after this long, even if its client keeps asking. */
export const METRICS_CONNECTION_MS_MAX = 60_000
/** Every client gets the same answer within this time, so scraping costs a bounded amount of work. */
export const METRICS_PAUSE_MS = 200

// SQLite files.
/** A poll of the WAL ends once the transactions that it has read reach this size. */
export const WAL_POLL_BYTES: number = 16 * 1024 * 1024
/** Short, because a reader that waits blocks the whole thread. It waits only for another process's recovery or checkpoint. */
export const READER_BUSY_TIMEOUT_MS = 250
/** Attempts of one checkpoint to reset the WAL, with a pause in between, before it leaves the rest to the next one. */
export const CHECKPOINT_ATTEMPTS_MAX = 200
export const CHECKPOINT_PAUSE_MS = 1
/** On a full disk with less room than this, the primary grants no lease, because the next revocation may not fit. */
export const DISK_ROOM_BYTES_MIN: number = 128 * 1024
/** A checkpoint that a reader blocks is retried. An alarm follows after this long, or once the WAL has grown by this factor. */
export const CHECKPOINT_RETRY_MS = 10_000
export const CHECKPOINT_BLOCKED_MS_MAX = 60_000
export const WAL_GROWTH_MAX = 8
/** Frames of one write to a replica's WAL. It bounds the memory that a large transaction takes. */
export const WAL_APPEND_FRAMES = 256

assert(BULK_CHUNK_BYTES + 1 <= CONTROL_MESSAGE_BYTES_MAX, 'a bulk chunk must fit into one message')
assert(CONTROL_MESSAGE_BYTES_MAX < READ_BUFFER_BYTES_MAX, 'a message must fit into the read buffer')
assert(
  2 * READ_QUEUE_BYTES_MAX + CONTROL_MESSAGE_BYTES_MAX + 2 * 64 * 1024 <= READ_BUFFER_BYTES_MAX,
  'the read buffer must have room for both queues, one message, and the bytes that arrive while they fill',
)
assert(HELLO_BYTES_MAX < HANDSHAKE_BYTES_MAX && HANDSHAKE_BYTES_MAX < READ_QUEUE_BYTES_MAX, 'a hello must fit')
assert(READ_BUFFER_BYTES_MAX <= WRITE_BACKLOG_BYTES_MAX, 'the backlog limit must not disconnect an honest reader')
assert(EXPLAINED_DEPTH_MAX * 4 + 6 <= JSON_DEPTH_MAX, 'an explanation must not nest deeper than a message may')
assert(
  EXPLANATION_CHARS_MAX * 1.25 * 3 + EXPLAINED_TEXT_CHARS_MAX * 128 <= CONTROL_MESSAGE_BYTES_MAX,
  'an explanation must fit: caveats and notes in UTF-8, and a verdict in front',
)
assert(LIST_CHARS_MAX * 3 + 64 * 1024 <= CONTROL_MESSAGE_BYTES_MAX, 'a list must fit into an answer, in UTF-8')
assert(CAVEAT_BYTES_MAX < TOKEN_BYTES_MAX && TOKEN_TEXT_CHARS_MAX * 4 < CONTROL_MESSAGE_BYTES_MAX, 'a token must fit')
assert(TOKEN_TEXT_CHARS_MAX < BUNDLE_BYTES_MAX && BUNDLE_BYTES_MAX * 2 < CONTROL_MESSAGE_BYTES_MAX, 'a bundle must fit')
assert(CAVEAT_BYTES_MAX <= IDENTIFIER_BYTES_MAX, 'a ticket must fit into the identifier of its discharge')
assert(CONDITION_BYTES_MAX + 256 <= CAVEAT_BYTES_MAX, 'a ticket must fit into a caveat')
assert(CAVEAT_BYTES_MAX * 1.5 < DISCHARGE_REQUEST_BYTES_MAX, 'a ticket must fit into a request')
assert(TOKEN_TEXT_CHARS_MAX * 1.5 < DISCHARGE_RESPONSE_BYTES_MAX, 'a discharge must fit into an answer')
assert(PURGE_MARGIN_SECONDS * 1000 > CLOCK_STOP_MS_MAX + CLOCK_JUMP_MS_MAX, 'a believed clock purges nothing early')
// In JSON a control character takes six bytes, any other at most three. A peer's name has at most 64 characters, a PeerId 52.
assert(
  SUBJECT_BYTES_MAX * 6 + ORG_CHARS_MAX + 256 <= JOURNAL_RECORD_BYTES_MAX,
  'every revocation must fit into a record of the journal',
)
assert(
  (REASON_CHARS_MAX + 64) * 6 + SUBJECT_BYTES_MAX * 2 + ORG_CHARS_MAX + 512 <= DENIAL_RECORD_BYTES_MAX,
  'every row of the log of revocations must fit into a record of the denials',
)
assert(CAVEATS_TOTAL_MAX * 4 + DISCHARGES_MAX * 4 <= HMACS_TOTAL_MAX, 'each discharge may be verified once')
assert(BUNDLE_BYTES_MAX <= OFFLINE_INPUT_BYTES_MAX, 'a bundle that a node reads must fit the offline toolbox too')
assert(HEARTBEAT_SILENCE_MS >= 3 * HEARTBEAT_INTERVAL_MS, 'one lost heartbeat must not end a connection')
// The smallest pages have the largest overhead: 512 incompressible bytes, 3 for LZ4, 10 of frame, at most 12 of index.
assert((SEGMENT_PAGES_BYTES_MAX / 512) * (512 + 3 + 10 + 12) + 1024 <= SEGMENT_BYTES_MAX, 'whole pages fit a segment')
assert(
  COMPACTION_BYTES_MAX <= MERGE_BYTES_MAX && MERGE_BYTES_MAX <= SEGMENT_PAGES_BYTES_MAX,
  'a merged segment must fit into one read',
)
