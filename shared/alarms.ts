/**
 * Every alarm that a node can raise. `status`, the metrics, the log and the list in RUNBOOK are made from this one list, so
 * an alarm has the same code and the same advice everywhere.
 */

/** `critical`: a promise is at risk, or a region has no verdicts. `warning`: it becomes critical if nobody acts. */
export type Severity = 'critical' | 'warning'

export interface AlarmKind {
  readonly severity: Severity
  /** A sentence without its full stop. It begins the message; the details of the case follow. */
  readonly summary: string
  /** The command or action with which an operator ends it, without the full stop. */
  readonly action: string
  /** The condition must last this long before the alarm is raised, because starting nodes pass through it. Default 0. */
  readonly afterMs?: number
}

const KINDS = {
  archive_behind: {
    severity: 'critical',
    summary: 'transactions wait for the archive, and are on the disks of primary and replicas only',
    action: 'fix what another alarm or the log names: space, permissions, network; archiving then resumes by itself',
  },
  archive_claim_missing: {
    severity: 'critical',
    summary: 'the archive had lost claims of epochs, and this primary has written them again',
    action:
      'find out what deletes objects under macaroond/ in the archive: a lifecycle rule of the bucket, or a person',
  },
  archive_failing: {
    severity: 'critical',
    summary: 'nothing arrives in the archive',
    action:
      'do what the message says: space, permissions, network; if the archive is damaged, `macaroond archive verify` lists the damage and `macaroond archive repair` lets the primary resume',
    afterMs: 10_000,
  },
  archive_job_failing: {
    severity: 'warning',
    summary: 'a job of the archive fails',
    action: 'do what the message says; the node retries the job by itself',
    afterMs: 10_000,
  },
  archive_late: {
    severity: 'warning',
    summary: 'a job of the archive has waited for its turn, or has been running, for very long',
    action: 'check the speed of the archive, and `[archive.schedule]`',
  },
  archive_late_transactions: {
    severity: 'critical',
    summary: 'an earlier primary archived transactions after this database was restored',
    action:
      'stop the earlier primary and repeat the revocations in those transactions (RUNBOOK, "Transactions that came too late")',
  },
  archive_missing: {
    severity: 'critical',
    summary: 'the archive that this database knows is not in its place, and nothing is archived',
    action:
      'mount it or put it back, and archiving resumes by itself; to begin a new archive there, restart the primary with `--new-archive`',
    afterMs: 2_000,
  },
  archive_repaired: {
    severity: 'critical',
    summary: 'the archive had lost something that this primary has repaired',
    action:
      'find out what deletes or changes objects in the archive; `macaroond archive repair` shows what was lost, and with `--yes` ends the alarm',
  },
  audit_broken: {
    severity: 'critical',
    summary: 'the audit chain of this database is broken',
    action:
      'compare the nodes with `macaroond audit verify`, find out who changed this database, and restore to before the broken record',
  },
  clock_doubt: {
    severity: 'critical',
    summary: 'this node does not believe its clock',
    action: 'set the clock right; if it is right, restart this node with `--accept-clock`',
  },
  copy_damaged: {
    severity: 'critical',
    summary: 'the disk changed pages of this replica’s copy, and a snapshot replaces it',
    action: 'check the disk; the alarm ends with the next scrub that finds nothing',
  },
  denials_not_kept: {
    severity: 'critical',
    summary: 'revocations of an undone history could not be written down, so the new history is not taken',
    action: 'free space on the volume of `data`; until then every verdict of this replica is unavailable',
  },
  denials_unproven: {
    severity: 'critical',
    summary:
      'this replica’s copy was damaged when its history was undone, and nothing proves that the revocations that it kept are those that it had',
    action:
      'compare `macaroond revocations pending` and `list` with what you know, and revoke again what must stay refused; the alarm ends with a restart of this replica',
  },
  denials_unread: {
    severity: 'critical',
    summary: 'revocations of an undone history cannot be read, so the new history is not taken',
    action:
      'revoke at the primary what you know of them; then move the folder that the alarm names out of `data` and restart this replica (RUNBOOK, "A replica’s copy is damaged")',
  },
  denials_waiting: {
    severity: 'warning',
    summary: 'replicas enforce revocations of an undone history that the primary does not have',
    action: 'list them with `macaroond revocations pending`; then `macaroond revocations adopt` or `forget`',
  },
  disk_full: {
    severity: 'critical',
    summary: 'the disk is full',
    action: 'free space or inodes on the volume of `data` (`df -h`, `df -i`); the node then resumes by itself',
  },
  disk_reserve_low: {
    severity: 'critical',
    summary: 'more than half of the space that the primary reserves for revocations on a full disk is used',
    action: 'free space on the volume of `data` now: once the reserve is used up, every region becomes unavailable',
  },
  drill_failed: {
    severity: 'critical',
    summary: 'a drill did not restore what was committed',
    action: 'run `macaroond archive verify`, then `macaroond archive snapshot`, which gives restores a new, sound base',
  },
  durability_degraded: {
    severity: 'critical',
    summary: 'revocations are acknowledged although only the primary’s disk holds them',
    action: 'bring a replica or the archive back; the alarm ends with the next durable revocation',
  },
  epoch_unsettled: {
    severity: 'critical',
    summary: 'not every replica has joined this epoch, so no revocation is acknowledged',
    action:
      'start the replicas that are down; remove from `[[peers]]` those that no longer exist; once you have made sure that the old primary is stopped, restart with `--old-primary-stopped`',
    afterMs: 30_000,
  },
  keys_stale: {
    severity: 'warning',
    summary: 'this replica uses keys that it opened earlier and could not open after a restart',
    action: 'give it the key-encryption key that the alarm names, and restart it (RUNBOOK, "Rotate the KEK")',
  },
  keys_unopened: {
    severity: 'critical',
    summary: 'this replica cannot open keys, so every verdict on their tokens is unavailable',
    action: 'give it the key-encryption key that the alarm names, and restart it (RUNBOOK, "Rotate the KEK")',
  },
  lease_ran_out: {
    severity: 'critical',
    summary: 'this replica has no lease, so every verdict is unavailable',
    action: 'check the primary and the network to it; `macaroond status` shows which of the two channels is down',
    afterMs: 10_000,
  },
  log_blocked: {
    severity: 'warning',
    summary: 'this node cannot write its log, and drops lines beyond a limit',
    action:
      'free space where the log is written, or restart the process that reads it; the node keeps running meanwhile',
  },
  log_damaged: {
    severity: 'warning',
    summary: 'the segment log is damaged, and replicas that need the damaged part get a snapshot',
    action: 'check the disk; the alarm ends with a restart of the primary',
  },
  minimum_unreached: {
    severity: 'critical',
    summary: 'a replica reported a position that no replica reaches, and this service no longer requires it',
    action: 'check the replica that the alarm names: it follows another history, or it lies; take it out of `replicas`',
  },
  primary_refused: {
    severity: 'critical',
    summary: 'this replica and its primary have different histories',
    action: 'find out which of the two has the true history (RUNBOOK, "A replica refuses its primary")',
  },
  refusals_rewritten: {
    severity: 'critical',
    summary: 'the disk changed a file with revocations of this replica, which has written it again from memory',
    action: 'check the disk; the alarm ends with the next scrub that finds nothing',
  },
  replica_refused: {
    severity: 'critical',
    summary: 'a replica contradicts this primary and is refused',
    action: 'find out which of the two has the true history (RUNBOOK, "A replica refuses its primary")',
  },
  revocations_blocked: {
    severity: 'critical',
    summary:
      'no revocation can be written, so no lease is granted and every region becomes unavailable within the bound',
    action:
      'free space on the volume of `data`, or end the program that holds a lock on the database; the primary then resumes by itself',
  },
  revocation_unknown: {
    severity: 'critical',
    summary: 'a revocation is of a kind that this version does not know, so every verdict is unavailable',
    action: 'upgrade this replica',
  },
  revocation_unreadable: {
    severity: 'critical',
    summary: 'a record of a revocation cannot be read',
    action: 'read the record in the primary’s database and revoke the token again',
  },
  table_incomplete: {
    severity: 'critical',
    summary: 'the table that this replica judges by lacked revocations that its files hold',
    action: 'find out since when (RUNBOOK, "A replica’s table and its files differ")',
  },
  table_unaccounted: {
    severity: 'warning',
    summary:
      'the table that this replica judges by held revocations that its files lacked; they are among its denials now',
    action:
      'find out what changed the files (RUNBOOK, "A replica’s table and its files differ"); the alarm ends with the next scrub that finds nothing',
  },
  third_party_broken: {
    severity: 'critical',
    summary: 'the private key of a third party cannot be used, so its tickets are not discharged',
    action:
      'run `macaroond third-party remove NAME`, `add` it again, and give the service its new public key; nobody can discharge its earlier caveats',
  },
  wal_growing: {
    severity: 'warning',
    summary: 'no checkpoint gets through, and the WAL grows until the disk is full',
    action:
      'end whatever keeps a transaction open on this database: `fuser -v macaroond.db` names sqlite3, a backup or a shell; nothing is lost',
  },
  writes_unconfirmed: {
    severity: 'critical',
    summary: 'no witness has confirmed the position of this start, so no write is taken',
    action:
      'start a replica, or let the primary reach its archive; `alone = true` states that there is no replica to ask',
    afterMs: 30_000,
  },
} as const

export type AlarmCode = keyof typeof KINDS

export const ALARMS: Readonly<Record<AlarmCode, AlarmKind>> = KINDS

/** The codes in alphabetical order, which every list of alarms uses. */
export const ALARM_CODES: readonly AlarmCode[] = Object.keys(KINDS).toSorted() as AlarmCode[]

/** An active alarm. */
export interface Alarm {
  readonly code: AlarmCode
  readonly severity: Severity
  /** Distinguishes alarms of one code: the location of an archive, the name of a replica. Empty if there can be only one. */
  readonly about: string
  /** The summary, and the details of this case. */
  readonly message: string
  readonly action: string
  /** Unix milliseconds of the node's own wall clock. */
  readonly sinceMs: number
}
