/**
 * The meaning of every error code, and the step that ends it, for docs/reference/errors.md. The type has a member for every
 * code, so a new code without a meaning does not compile. Messages and hints of an error are more exact than this list.
 */
import type { ErrorCode } from '../../../shared/errors.ts'
import type { RefusalReason } from '../../../shared/verifier/verdict.ts'

export interface Meaning {
  /** One sentence, without its full stop. */
  readonly meaning: string
  readonly action: string
}

type Group = readonly [title: string, codes: readonly ErrorCode[]]

const means = (meaning: string, action: string): Meaning => ({ meaning, action })
const NOT_A_TOKEN = 'copy the whole token again; `shared/macaroon/FORMAT.md` has every rule'
const ASK_AGAIN = 'try again; with `retryAfterMs`, after that time'

export const ERROR_MEANINGS: Readonly<Record<ErrorCode, Meaning>> = {
  config_invalid: means(
    'a configuration, a profile or an option of the SDK is wrong',
    'correct the key that the message names',
  ),
  config_unreadable: means('a configuration or a profile cannot be read', 'check the path and who may read it'),
  file_untrusted: means(
    'another user of the machine could change a file',
    'change its owner or mode, as the hint says',
  ),
  key_unreadable: means(
    'an identity or a signing key cannot be read',
    'check the path; `macaroond keygen` makes an identity',
  ),
  key_permissions: means('other users may read a key', '`chmod 600` the file'),
  key_malformed: means('a file or a value is not the key that is expected there', 'check that the right file is named'),
  key_exists: means('the file or folder of a new key exists', 'choose another name: no key is overwritten'),
  kek_missing: means(
    'the key-encryption key cannot be loaded, or a replica lacks it',
    'check the source under `[kek]`',
  ),
  kek_wrong: means(
    'the key-encryption key does not open what is sealed',
    'give the right key; earlier ones belong under `previous`',
  ),
  kek_unchanged: means(
    'nothing was rotated: the primary has no newer key-encryption key than the one in force',
    'configure the new key on every node, the present one under `[[kek.previous]]`, and restart them first',
  ),
  port_in_use: means('another process listens on the address', 'stop it, or choose another port'),
  disk_full: means('the disk is full', 'free space on the volume of `data`; the node resumes by itself'),
  io_failed: means('the disk or the system failed a call', 'check the disk and the log of the system'),
  sync_failed: means('the disk failed to make written bytes durable', 'check the disk, then start the node again'),
  node_too_old: means('this Node.js is too old', 'install Node 22.18 or later'),
  already_running: means('another process uses the data folder', 'stop it first'),
  platform_unsupported: means(
    'the system or file system lacks a lock or a property that safety needs',
    'use a local file system of Linux; a bucket needs conditional writes',
  ),
  start_failed: means('a node of `dev`, the tour or a rehearsal did not start', 'read the log that the message names'),
  tour_failed: means('a step of the tour or of a rehearsal did not hold', 'read the logs that it keeps'),
  answer_unwritten: means(
    'the command was carried out, but its answer could not be written',
    'do not repeat it; the hint says how to see the result',
  ),
  usage: means('the command line is wrong', 'see `--help`'),

  token_malformed: means('the text is not a macaroon', NOT_A_TOKEN),
  token_missing: means('there is no token', 'give one on standard input'),
  token_base64: means('the text is not canonical base64url', NOT_A_TOKEN),
  token_duplicate: means('a field occurs twice', NOT_A_TOKEN),
  token_field: means('a field is missing, unknown or out of place', NOT_A_TOKEN),
  token_json: means('the text is not V2J', NOT_A_TOKEN),
  token_length: means('a length is not canonical', NOT_A_TOKEN),
  token_location: means('a location is empty or on a first-party caveat', NOT_A_TOKEN),
  token_signature: means('the signature has not 32 bytes', NOT_A_TOKEN),
  token_trailing: means('something follows the end', NOT_A_TOKEN),
  token_utf8: means('a text in it is not UTF-8', NOT_A_TOKEN),
  token_vid: means('a verifier id has not 72 bytes', NOT_A_TOKEN),
  token_truncated: means('the token ends early', 'copy the whole token'),
  token_damaged: means('the token was changed on its way: its checksum differs', 'copy the whole token'),
  token_too_large: means('the token, or one with this caveat, exceeds a limit', 'use fewer or shorter caveats'),
  token_unsupported: means(
    'it is another format, a newer version, or a bundle in place of a token',
    'the message names the format',
  ),
  bundle_malformed: means('a part of the bundle is empty', 'join token and discharges with `~`, without spaces'),
  caveat_malformed: means('a caveat does not follow the grammar, or imitates a reserved key', 'see docs/caveats.md'),

  ticket_invalid: means(
    'the ticket was not sealed for this third party, or it was changed',
    'check the location and the key of the caveat',
  ),
  discharge_refused: means('the third party refuses the discharge', 'do what its message says, for example log in'),
  discharge_invalid: means(
    'the third party’s answer is not a discharge of this ticket',
    'check that it speaks the protocol',
  ),
  discharge_unavailable: means('the third party gave no answer, or may not be asked', 'list its host, and try again'),
  third_party_unknown: means(
    'no credential or host is listed for a third party',
    'list its host with `--host` or `--credential`',
  ),
  third_party_exists: means('there is a third party of this name', 'choose another name, or remove it first'),
  third_party_missing: means('there is no third party of this name', '`macaroond third-party list` has the names'),
  token_refused: means(
    'a presented token is refused; the message has the reason',
    '`token verify --explain` shows why',
  ),

  sqlite_version: means('this SQLite can corrupt a database', 'install the package again, with its own SQLite'),
  schema_newer: means('a newer version wrote the folder or the record', 'run that version'),
  schema_older: means(
    'the database is of a schema that this version cannot read',
    'upgrade in steps, through the version between',
  ),
  wrong_cluster: means(
    'a peer, a database or an archive belongs to another cluster',
    'check which folder or address is named',
  ),
  foreign_write: means('another program wrote the database', 'end it, then `macaroond repair`'),
  database_corrupt: means('the database is damaged, or is a copy that sqlite3 made', '`macaroond repair`, or restore'),
  repair_unfinished: means('a repair was interrupted', 'run the same repair again'),
  audit_broken: means('the chain of the audit is broken', 'compare the nodes with `macaroond audit verify`'),
  database_busy: means('another program holds a lock on the database', 'end it and try again'),
  database_exists: means('the output of a restore exists', 'choose another path: nothing is overwritten'),
  segment_corrupt: means(
    'a segment or snapshot is damaged',
    'nothing: the replica fetches it again; if it stays, check the disk',
  ),
  segment_mismatch: means(
    'a segment does not follow the state it was meant for',
    'nothing: the replica fetches a snapshot',
  ),
  history_unread: means(
    'revocations of an undone history cannot be read from a damaged copy, so the replica does not take the new history',
    'RUNBOOK, "A replica’s copy is damaged"',
  ),
  log_corrupt: means(
    'a log, a journal or a table on the disk is damaged',
    'see the RUNBOOK; a replica’s folder may be moved aside',
  ),
  position_diverged: means('two nodes have different histories', 'RUNBOOK, "A replica refuses its primary"'),
  position_superseded: means('a minimum position belongs to a history that a restore undid', 'drop the position'),
  position_unreached: means('a state or a durability was not reached in time', ASK_AGAIN),
  write_unconfirmed: means(
    'no witness has confirmed the primary’s disk since its start',
    'start a replica, or let the primary reach its archive',
  ),
  epoch_unsettled: means(
    'a replica has not joined the epoch of a restored primary',
    'start the replicas; RUNBOOK, "Restore to a time"',
  ),
  outcome_unknown: means(
    'the write may have happened or not',
    'repeat it, with the same request id if it must happen once',
  ),

  archive_missing: means('the archive is not in its place', 'mount it or put it back; `--new-archive` begins another'),
  archive_unavailable: means(
    'the archive cannot be reached, or lost a write',
    'check the network and the store; archiving resumes',
  ),
  archive_denied: means(
    'the store refuses the credentials or a right',
    'check key and policy: docs/archive-and-restore.md',
  ),
  archive_damaged: means('the archive is damaged', '`macaroond archive verify` lists the damage'),
  archive_unsigned: means(
    'the archive has no manifest, or no key to believe it by',
    'give `--key`; for litestream’s own archives `--unsigned`',
  ),
  archive_fenced: means('another primary leads in a later epoch', 'never start this one again on this folder'),
  restore_target: means(
    'the archive does not reach the wanted state',
    '`macaroond archive list` shows what it reaches',
  ),
  restore_unconfirmed: means(
    'a known place could not be read or believed',
    'make it readable, or confirm with `--yes`',
  ),
  repair_unconfirmed: means('a known place could not be read or believed', 'make it readable, or confirm with `--yes`'),
  head_unwitnessed: means(
    'no witness confirms that the newest state was read',
    'give a witness, or confirm with `--accept-head`',
  ),

  connect_failed: means('nobody answers at the address', 'check that the node runs, its address and the network'),
  connection_lost: means('the connection broke', ASK_AGAIN),
  handshake_failed: means(
    'the other end is of another cluster (the message says so), broke off, or speaks no Noise',
    'check cluster and address; a node or a balancer that restarts also breaks off, and that passes',
  ),
  peer_mismatch: means('another node than the pinned one answers', 'check address and `peer_id`'),
  peer_refused: means(
    'this identity may not use that node for this',
    'add it to `[[peers]]` there, or use another profile',
  ),
  protocol_violation: means('the other end broke the protocol', 'check both versions; report it if they fit'),
  timeout: means('no answer came in time', ASK_AGAIN),
  overloaded: means('the node has more calls than it can take', ASK_AGAIN),
  replica_unavailable: means(
    'the replica answers, and cannot judge tokens now: it has no lease',
    'check the primary and the network to it; `macaroond status` shows why',
  ),
  closed: means('the node or the client is closing', 'try again in a few seconds'),

  permission_denied: means('the role or the orgs of this identity do not allow the call', 'use a profile that may'),
  org_exists: means('there is an org of this name', 'choose another name'),
  org_unknown: means('there is no org of this name', '`macaroond org list` has the names'),
  org_disabled: means('the org is disabled, for ever', 'use another org'),
  key_unknown: means('there is no such root key', '`macaroond org list` has the keys'),
  key_retired: means('the root key is retired', '`macaroond org rotate-key` makes a new one'),
  request_conflict: means('the request id was used for other content', 'use a new request id'),
  request_invalid: means('the call is wrong, or the node is older than the caller', 'do what the message says'),
  clock_implausible: means(
    'a node or a restore does not believe the clock',
    'set the clock right, or confirm it with `--accept-clock`',
  ),
  internal: means('a bug', 'report it with the log of the node'),
}

/** The reasons of a refused token that are no codes of errors. */
export const REASON_MEANINGS: Readonly<Record<Exclude<RefusalReason, ErrorCode>, Meaning>> = {
  signature_wrong: means(
    'the signature does not fit: the token was changed, or made with another key',
    'get a new token',
  ),
  revoked: means(
    'the token, or one that it was made from, is revoked',
    'get a new token; `macaroond token show ID` has the reason',
  ),
  expired: means('the token has expired', 'get a new token'),
  org_missing: means('the service named no org in the access', 'correct the service'),
  org_mismatch: means('the token belongs to another org', 'use a token of this org'),
  access_malformed: means('the service described the access wrongly', 'correct the service'),
  caveat_unknown: means('the verifier does not understand a caveat', 'get a token without it; see docs/caveats.md'),
  caveat_refused: means('a caveat does not allow this access', 'get a token that does'),
  discharge_missing: means('a third party has not consented yet', 'get its discharge: docs/third-parties.md'),
  verifier_id_invalid: means('a third-party caveat can never be discharged', 'get a new token'),
  work_exceeded: means(
    'judging the token for this access would take too much work; the token may be good',
    'use fewer discharges, or fewer values in one access',
  ),
  unavailable: means(
    'no node can judge the token now; it may be valid',
    'try again, here or at another replica, and keep the token',
  ),
}

/** The codes in the order of the page. */
export const ERROR_GROUPS: readonly Group[] = grouped()

/** Titles by the first code of each group, in the order of `ERROR_MEANINGS`. */
function grouped(): readonly Group[] {
  const titles: Readonly<Partial<Record<ErrorCode, string>>> = {
    config_invalid: 'Configuration, files, start',
    token_malformed: 'Tokens',
    ticket_invalid: 'Discharges and service tokens',
    sqlite_version: 'Database and replication',
    archive_missing: 'Archive and restore',
    connect_failed: 'Connections',
    permission_denied: 'The authority',
  }
  const groups: [string, ErrorCode[]][] = []
  for (const code of Object.keys(ERROR_MEANINGS) as ErrorCode[]) {
    const title = titles[code]
    if (title !== undefined) groups.push([title, []])
    groups.at(-1)?.[1].push(code)
  }
  return groups
}
