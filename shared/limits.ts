/**
 * Every limit on what comes from outside, in one place; limits that relate are asserted together at the end.
 * Units stand last in the names.
 */
import { assert } from './errors.ts'

// Tokens. libmacaroons stops at 32 KiB a field; a token of this authority is a few hundred bytes.
export const TOKEN_BYTES_MAX: number = 16 * 1024
export const TOKEN_TEXT_CHARS_MAX: number = Math.ceil((TOKEN_BYTES_MAX * 4) / 3) + 16
export const CAVEATS_MAX = 100
/** Discharges in one bundle, nested ones included. */
export const DISCHARGES_MAX = 64
/** Characters of a bundle in its text form: all of ASCII, so bytes too. */
export const BUNDLE_BYTES_MAX: number = 256 * 1024
export const CAVEAT_BYTES_MAX = 4096
export const LOCATION_BYTES_MAX = 1024
/** The identifier of a discharge is its ticket, which is a caveat of another macaroon. */
export const IDENTIFIER_BYTES_MAX = 4096
/** Discharges that need discharges: how many may stand one behind the other. */
export const DISCHARGE_DEPTH_MAX = 8
/** Caveats of a token and of all discharges that come with it. */
export const CAVEATS_TOTAL_MAX = 1_000
/** Work on one bundle: HMACs (and boxes opened), and discharges tried for a caveat. */
export const HMACS_TOTAL_MAX = 8_192
export const DISCHARGE_TRIALS_MAX = 1_024
/** What a ticket says to the third party. */
export const CONDITION_BYTES_MAX = 2_048
export const SUBJECT_BYTES_MAX = 255
export const REASON_CHARS_MAX = 500
/** Records of a replica's own files, as JSON: one that is longer is refused when it is written. */
export const JOURNAL_RECORD_BYTES_MAX = 4096
export const DENIAL_RECORD_BYTES_MAX: number = 16 * 1024
/** Revocations of undone histories that a primary takes over by itself, from one replica in one epoch. */
export const ADOPTED_MAX = 1_000
/** Those that it is told of by one replica; the replica tells the next when these are settled. */
export const DENIALS_TOLD_MAX = 10_000
/** Of one replica, as JSON: at its longest a row is a hundred times an honest one. */
export const DENIALS_TOLD_CHARS_MAX: number = 16 * 1024 * 1024
/** Adopted, forgotten or shown in one call. */
export const DENIALS_CALL_MAX = 500
export const ANCESTORS_MAX = 4
/** Key-encryption keys in a ring: the one that seals, and those before it. */
export const KEKS_MAX = 9
export const REQUEST_ID_CHARS_MAX = 64
/** Requests that are answered again under their id. */
export const REQUESTS_KEPT_MAX = 10_000
/** Mints that are looked at to say how many tokens a revocation would apply to. */
export const RECORDS_COUNTED_MAX = 50_000
/** Rows of a walk over stored data in one turn of the event loop: a few milliseconds. */
export const WALK_ROWS_A_TURN = 2_000
/**
 * Calls on `sign` and `admin` that may be in flight for one peer, over all of its connections, by what they do. Revoking a
 * thousand subjects at once is honest use.
 */
export const SIGN_CALLS_IN_FLIGHT_MAX = {
  revoking: 1_024,
  writing: 1_024,
  presenting: 256,
  waiting: 1_024,
  walking: 8,
  looking: 64,
} as const
/** Revocations of ids whose mint is not on record and that no token proves; a restore leaves honest ones, and each stays for ever. */
export const UNRECORDED_AT_ONCE = 1_000
export const UNRECORDED_A_SECOND = 1
/** How much earlier than its key a token may look: the clock of the wall may be behind the issue clock. */
export const BEFORE_KEY_MS_MAX = 60_000
/** Calls that wait for a walk, and calls that wait for a count; one walk counts for all of them. */
export const WALKS_WAITING_MAX = 64
export const COUNTS_WAITING_MAX = 64
/** Subjects that one count compares with the one it is asked about, and shows of each sort. */
export const SUBJECTS_COMPARED_MAX = 10_000
export const SUBJECTS_SHOWN_MAX = 5
/** Revocations that are shown of one token or org. */
export const REVOCATIONS_FOUND_MAX = 20
export const ORG_CHARS_MAX = 64
export const LIST_ITEMS_MAX = 256
/** Of a list in one answer, as JSON: some characters of a reason or subject are six bytes. The rest comes with the next call. */
export const LIST_CHARS_MAX: number = 256 * 1024
export const PREDICATE_CACHE_ENTRIES_MAX = 4096
export const PREDICATE_CACHED_BYTES_MAX = 256
export const ACCESS_KEYS_MAX = 64
export const ACCESS_KEY_CHARS_MAX = 64
export const ACCESS_VALUE_CHARS_MAX = 4096
export const TTL_SECONDS_MAX: number = 100 * 365 * 86_400
/** M in ARCHITECTURE.md: a service token ends at most this long after its exchange. */
export const SERVICE_TTL_SECONDS_MAX: number = 90 * 86_400
/**
 * Kept beyond the last moment at which anything that a revocation hits could live: far more than clocks that are believed can
 * be wrong by.
 */
export const PURGE_MARGIN_SECONDS: number = 30 * 86_400
/** Rows of one transaction of a purge, and slots of the table in memory that are looked at in one turn. */
export const PURGE_ROWS_MAX = 1_000
export const SWEEP_SLOTS_MAX = 32_768
/** What the authority confirms as a third party holds for no longer than this. */
export const AUTHORITY_DISCHARGE_TTL_SECONDS = 60
/** Tokens presented for one discharge of the authority. */
export const PRESENTED_MAX = 4
/** Each may have to be tried for a ticket, at an X25519 agreement a piece. */
export const THIRD_PARTIES_MAX = 100

// The discharge protocol. Requests hold a ticket, answers a discharge, both in text.
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

// Macaroons of others, in the offline toolbox: what libmacaroons takes in a field, and far less of them than it does.
export const OFFLINE_MACAROON_BYTES_MAX: number = 128 * 1024
export const OFFLINE_FIELD_BYTES_MAX: number = 64 * 1024
export const OFFLINE_CAVEATS_MAX = 1_000
export const OFFLINE_HMACS_MAX = 300_000
export const OFFLINE_INPUT_BYTES_MAX: number = 1024 * 1024
export const KEY_FILE_BYTES_MAX: number = 64 * 1024

// The channel.
export const CONTROL_MESSAGE_BYTES_MAX: number = 1024 * 1024
export const BULK_CHUNK_BYTES: number = 60 * 1024
export const HELLO_BYTES_MAX: number = 16 * 1024
export const HANDSHAKE_TIMEOUT_MS = 3_000
/** A handshake costs a core 2 to 4 ms: beyond this rate they wait, and those that verify are served on. */
export const HANDSHAKES_A_SECOND_MAX = 200
export const HANDSHAKES_AT_ONCE_MAX = 32
/** Those that wait too: as many as get their turn before their dialers give up. */
export const HANDSHAKES_UNFINISHED_MAX = 512
/** What a peer may send before it is welcomed: three Noise messages of under 1 KB and the hello. */
export const HANDSHAKE_BYTES_MAX: number = HELLO_BYTES_MAX + 8 * 1024
/** Short, so that a dial begun while the network was cut does not outlive the cut by more than this. */
export const CONNECT_TIMEOUT_MS = 1_000
export const CLOSE_TIMEOUT_MS = 10_000
export const CONNECTIONS_MAX = 4_096
export const CONNECTIONS_PER_PEER_MAX = 256
/** Peers that no list names, where `verify` is open to all: the rest stays reserved for the known. */
export const GUEST_CONNECTIONS_MAX: number = CONNECTIONS_MAX / 2
export const GUEST_CONNECTIONS_PER_ADDRESS_MAX = 32
/** Of the node's time, in this share and for so long at a stretch; the rest is the listed workers'. */
export const GUEST_TIME_SHARE = 0.6
export const GUEST_TIME_STRETCH_MS = 50
export const GUEST_REQUESTS_IN_FLIGHT_MAX = 64
export const READ_BUFFER_BYTES_MAX: number = 4 * 1024 * 1024
/** Bytes queued undecoded, and bytes of decoded messages nobody took yet: each half of what a connection may hold. */
export const READ_QUEUE_BYTES_MAX: number = 1024 * 1024
export const WRITE_BACKLOG_BYTES_MAX: number = 8 * 1024 * 1024
export const HEARTBEAT_INTERVAL_MS = 1_000
export const HEARTBEAT_SILENCE_MS = 3_000
export const CONNECTION_AGE_MS_MAX: number = 24 * 3_600_000
/** Half of what Noise's 32-bit nonce allows: a connection is replaced long before it would fail. */
export const NOISE_FRAMES_MAX: number = 2 ** 31
export const REQUESTS_IN_FLIGHT_MAX = 1_024
/** Calls are served for so long at a stretch; then everything else has its turn. */
export const CALLS_STRETCH_MS = 4
/** What an `overloaded` answer asks for where nothing better is known, and the most that is believed of one. */
export const RETRY_AFTER_MS = 1_000
export const RETRY_AFTER_MS_MAX = 60_000
export const REQUEST_TIMEOUT_MS = 5_000
export const REQUESTS_CLOSE_TIMEOUT_MS = 2_000
export const METHOD_CHARS_MAX = 64
/** An explanation repeats what caveats say: characters in all, of one text, and discharges behind one another. */
export const EXPLANATION_CHARS_MAX: number = 192 * 1024
export const EXPLAINED_TEXT_CHARS_MAX = 1_024
/** One text of a replica's answer: a caveat in hex, and what stands around it. */
export const ANSWER_TEXT_CHARS_MAX = 16_384
export const EXPLAINED_DEPTH_MAX = 6
export const JSON_DEPTH_MAX = 32
export const ERROR_TEXT_CHARS_MAX = 2_048
export const RECONNECT_BACKOFF_BASE_MS = 20
export const RECONNECT_BACKOFF_MS_MAX = 500
export const REFUSED_BACKOFF_BASE_MS = 250
export const REFUSED_BACKOFF_MS_MAX = 5_000
/** A connection that held this long was a success; one that ended sooner counts as another failed attempt. */
export const CONNECTION_SETTLED_MS = 1_000

// Freshness.
export const LEASE_MS_MAX = 3_600_000
export const PING_INTERVAL_MS_MIN = 20
export const CLOCK_RATE_ERROR_MAX = 0.1
/** Holders of leases at one grantor: beyond it none is given, and the holder answers unavailable. */
export const LEASE_HOLDERS_MAX = 4_096
/** Processes of one peer that may hold leases at once. The instances of a service may share one identity. */
export const BOOTS_PER_PEER_MAX = 16
export const WORKER_BOOTS_PER_PEER_MAX = 1_024
/** How long one call waits until a revocation binds everywhere; who wants to wait longer calls again. */
export const COVERAGE_WAIT_MS_MAX = 2_000
/** How far wall clocks may jump, or be apart, before a node does not believe its own. */
export const CLOCK_JUMP_MS_MAX = 60_000
/** How long a node may have been stopped before its clock alone does not say what time it is. */
export const CLOCK_STOP_MS_MAX: number = 7 * 86_400_000

/** Replicas that a configuration names, as a replica tells them to a restore. */
export const REPLICAS_TOLD_MAX = 1_024

// Shipping.
export const PAGE_BYTES = 4096
export const SEGMENT_BYTES_MAX: number = 256 * 1024 * 1024
/** Its pages before compression: a small file must not ask for gigabytes. */
export const SEGMENT_PAGES_BYTES_MAX: number = 240 * 1024 * 1024
export const GROUP_COMMANDS_MAX = 100
/** Judging presented tokens ends a group after this long: pings and revocations come between it and the rest. */
export const GROUP_DECIDING_MS_MAX = 50
export const WRITES_QUEUED_MAX = 10_000
/** Characters of what waits in each queue: subjects, caveats and tokens; and of revocations, reasons and subjects. */
export const REVOCATIONS_QUEUED_CHARS_MAX: number = 16 * 1024 * 1024
export const WRITES_QUEUED_CHARS_MAX: number = 64 * 1024 * 1024
/** S7: a revocation that no replica confirms within this time is answered as indeterminate. */
export const REVOKE_DURABLE_TIMEOUT_MS = 2_000
/** How long a verification waits for a wanted position, and how many may wait at once. */
export const MIN_POSITION_WAIT_MS = 1_000
export const MIN_POSITION_WAITERS_MAX = 4_096
export const MIN_POSITION_WAITING_CHARS_MAX: number = 32 * 1024 * 1024

// The feed, and the caches of workers.
/** Revocations a replica keeps for workers that were away; who is further behind begins with an empty cache. */
export const FEED_ROWS_KEPT = 8_192
/** Revocations, or acknowledgements, that follow each other closer than this share a message. */
export const FEED_PAUSE_MS = 4
/** A worker that reads nothing for so long is cut off. */
export const FEED_STALL_MS_MAX = 2_000
/** A replica that answers no ping for so long, or is itself without word from its primary, is left for another one. */
export const FEED_SILENCE_MS_MAX = 1_000
export const FEED_STALE_MS_MAX = 1_500
/** A replica of another region is followed for so long at a time; then those of this region are tried again. */
export const FOREIGN_FEED_MS_MAX = 10_000
export const CACHE_ENTRIES_DEFAULT = 100_000
export const CACHE_ENTRIES_MAX = 10_000_000
export const CACHE_BYTES_DEFAULT: number = 128 * 1024 * 1024
export const CACHE_BYTES_MAX: number = 16 * 1024 * 1024 * 1024

// The archive.
/** One read from a storage backend: what a cut connection costs at most, and what is held in memory of a large file. */
export const ARCHIVE_READ_BYTES: number = 8 * 1024 * 1024
/** A signed document of the manifest: a base lists every file of the archive, at about 250 bytes each. */
export const MANIFEST_DOCUMENT_BYTES_MAX: number = 512 * 1024 * 1024
/** Claims of epochs that one start creates below its own, so that claims leave no gap. */
export const CLAIMS_FILLED_MAX = 1_000
/** Late entries of earlier epochs that a new primary reads on past before it has won its own first entry. */
export const LATE_ENTRIES_MAX = 100
/** Transactions that become files of the archive in one round, and how many are written at once. */
export const ARCHIVE_ROUND_SEGMENTS_MAX = 1_024
export const ARCHIVE_ROUND_BYTES_MAX: number = 64 * 1024 * 1024
export const ARCHIVE_REQUESTS_AT_ONCE = 8
/** Of a bucket, whose answers are far away: they are waited for together. */
export const BUCKET_REQUESTS_AT_ONCE = 32
/** More than an archive may hold files: a list without an end is none. */
export const BUCKET_OBJECTS_MAX = 20_000_000
/** Pieces of one large file that are read before they are asked for. */
export const ARCHIVE_PIECES_AHEAD = 3
/** A bucket: parts of a large object, which S3 wants of 5 MiB at least and 10,000 at most. */
export const S3_PART_BYTES_MIN: number = 8 * 1024 * 1024
export const S3_PARTS_MAX = 10_000
export const S3_PARTS_AT_ONCE = 4
/** A list of 1,000 objects, or whatever else is a document. */
export const S3_DOCUMENT_BYTES_MAX: number = 8 * 1024 * 1024
/** A request and its answer: each so long, and the time that its bytes take at the slowest rate that is any use. */
export const S3_REQUEST_TIMEOUT_MS = 15_000
export const S3_BYTES_PER_MS_MIN = 100
export const S3_ATTEMPTS_MAX = 6
export const S3_RETRY_BASE_MS = 100
/** After "slow down". */
export const S3_SLOW_DOWN_BASE_MS = 500
export const S3_RETRY_MS_MAX = 10_000
/** Pages held in memory while segments are merged. */
export const MERGE_BYTES_MAX: number = 64 * 1024 * 1024
/** Pages of one merged file: it is made by the primary, between commits. */
export const COMPACTION_BYTES_MAX: number = 8 * 1024 * 1024
/**
 * A restored database begins so many transactions after the last one known, in case there was one that nobody knows; for each
 * epoch that was claimed, and whose transactions nobody knows, it is as many more.
 */
export const RESTORE_TXID_JUMP: number = 2 ** 20

// Standard output and standard error of a node.
/** Lines that wait until somebody reads, or the disk has room; beyond it they are dropped. */
export const OUTPUT_WAITING_BYTES_MAX: number = 256 * 1024
export const OUTPUT_RETRY_MS_MAX = 1_000
/** How long the last lines may hold up the end of a process. */
export const OUTPUT_LAST_MS_MAX = 250

// Metrics over HTTP: an answer is a few kilobytes, and those who ask are a handful.
export const METRICS_CONNECTIONS_MAX = 16
export const METRICS_REQUEST_MS_MAX = 5_000
/** One that asks again and again may keep its connection for so long, too. */
export const METRICS_CONNECTION_MS_MAX = 60_000
/** Within this time everybody gets the same answer. */
export const METRICS_PAUSE_MS = 200

// SQLite files.
/** A poll of the WAL returns after the first transaction that reaches this. */
export const WAL_POLL_BYTES: number = 16 * 1024 * 1024
/** Only recovery and checkpoints of others make a reader wait, and waiting blocks the whole thread. */
export const READER_BUSY_TIMEOUT_MS = 250
/** How often a checkpoint asks for the WAL's end, a pause apart, before it leaves the rest to the next one. */
export const CHECKPOINT_ATTEMPTS_MAX = 200
export const CHECKPOINT_PAUSE_MS = 1
/** On a full disk with less room than this for the WAL, or the segment log, no lease is granted: the next revocation may not fit. */
export const DISK_ROOM_BYTES_MIN: number = 128 * 1024
/** A checkpoint that a reader is in the way of is tried again, and told once it has lasted so long, or the WAL has grown so many times. */
export const CHECKPOINT_RETRY_MS = 10_000
export const CHECKPOINT_BLOCKED_MS_MAX = 60_000
export const WAL_GROWTH_MAX = 8
/** Frames of one write to a replica's WAL: bounds the memory that a large transaction takes. */
export const WAL_APPEND_FRAMES = 256

assert(BULK_CHUNK_BYTES + 1 <= CONTROL_MESSAGE_BYTES_MAX, 'a bulk chunk must fit into one message')
assert(CONTROL_MESSAGE_BYTES_MAX < READ_BUFFER_BYTES_MAX, 'a message must fit into the read buffer')
assert(
  2 * READ_QUEUE_BYTES_MAX + CONTROL_MESSAGE_BYTES_MAX + 2 * 64 * 1024 <= READ_BUFFER_BYTES_MAX,
  'both queues, one message and what arrives while they fill must stay within the read buffer',
)
assert(HELLO_BYTES_MAX < HANDSHAKE_BYTES_MAX && HANDSHAKE_BYTES_MAX < READ_QUEUE_BYTES_MAX, 'a hello must fit')
assert(READ_BUFFER_BYTES_MAX <= WRITE_BACKLOG_BYTES_MAX, 'the backlog cap must not cut an honest reader off')
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
// A control character is six bytes of JSON, another one three bytes at most; a name of a peer has 64 characters, a PeerId 52.
assert(
  SUBJECT_BYTES_MAX * 6 + ORG_CHARS_MAX + 256 <= JOURNAL_RECORD_BYTES_MAX,
  'every revocation must fit into a record of the journal',
)
assert(
  (REASON_CHARS_MAX + 64) * 6 + SUBJECT_BYTES_MAX * 2 + ORG_CHARS_MAX + 512 <= DENIAL_RECORD_BYTES_MAX,
  'every row of the log of revocations must fit into a record of the denials',
)
assert(CAVEATS_TOTAL_MAX * 4 + DISCHARGES_MAX * 4 <= HMACS_TOTAL_MAX, 'each discharge may be verified once')
assert(BUNDLE_BYTES_MAX <= OFFLINE_INPUT_BYTES_MAX, 'what is read online is read offline too')
assert(HEARTBEAT_SILENCE_MS >= 3 * HEARTBEAT_INTERVAL_MS, 'one lost heartbeat must not end a connection')
// The smallest pages cost most: 512 bytes that do not compress take 3 more, 10 of frame and at most 12 of index.
assert((SEGMENT_PAGES_BYTES_MAX / 512) * (512 + 3 + 10 + 12) + 1024 <= SEGMENT_BYTES_MAX, 'whole pages fit a segment')
assert(
  COMPACTION_BYTES_MAX <= MERGE_BYTES_MAX && MERGE_BYTES_MAX <= SEGMENT_PAGES_BYTES_MAX,
  'what was merged can be read at once',
)
