/**
 * Every alarm that a node can raise. `status`, the metrics, the log and RUNBOOK are made from this one list, so an alarm has
 * the same code and the same advice wherever an operator meets it.
 */

/** `critical`: a promise is at stake, or a region is without verdicts. `warning`: it will come to that if nobody acts. */
export type Severity = 'critical' | 'warning'

export interface AlarmKind {
  readonly severity: Severity
  /** The first words, before the details of the one case: a sentence without its full stop. */
  readonly summary: string
  /** What an operator types or does. */
  readonly action: string
  /** The condition must have lasted this long: it comes and goes while nodes start. 0 without it. */
  readonly afterMs?: number
}

const KINDS = {
  archive_behind: {
    severity: 'critical',
    summary: 'transactions wait for the archive, and are on the disks of primary and replicas only',
    action: 'look at the reason that another alarm or the log names: space, permissions, network; it goes on by itself',
  },
  archive_claim_missing: {
    severity: 'critical',
    summary: 'the archive had lost the claim of this epoch, and it was put there again',
    action:
      'find out what deletes objects under macaroond/ in the archive: a lifecycle rule of the bucket, or a person',
  },
  archive_failing: {
    severity: 'critical',
    summary: 'nothing arrives in the archive',
    action:
      'do what the message says: space, permissions, network. Where the archive is damaged, `macaroond archive verify` names all that is wrong and `macaroond archive repair` makes the primary go on',
    afterMs: 10_000,
  },
  archive_job_failing: {
    severity: 'warning',
    summary: 'a job of the archive fails',
    action: 'do what the message says; the job is tried again by itself',
    afterMs: 10_000,
  },
  archive_late: {
    severity: 'warning',
    summary: 'a job of the archive waits for its turn, or works for very long',
    action: 'look at the speed of the archive, and at `[archive.schedule]`',
  },
  archive_late_transactions: {
    severity: 'critical',
    summary: 'an earlier primary archived transactions after this database was restored',
    action: 'stop the earlier primary and revoke again what they revoked (RUNBOOK, "Transactions that came too late")',
  },
  archive_missing: {
    severity: 'critical',
    summary: 'the archive that this database knows is not in its place, and nothing is archived',
    action:
      'mount it or put it back, and archiving goes on by itself; to begin a new archive there, restart the primary with `--new-archive`',
    afterMs: 2_000,
  },
  archive_repaired: {
    severity: 'critical',
    summary: 'the archive had lost something that this primary has repaired',
    action:
      'find out what deletes or changes objects in the archive; `macaroond archive repair` shows again what was lost, and with `--yes` ends the alarm',
  },
  audit_broken: {
    severity: 'critical',
    summary: 'the audit chain of this database does not hold',
    action:
      'compare the nodes with `macaroond audit verify`, find out who wrote this database, and restore to before that record',
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
    action: 'make room on the volume of `data`; until then every verdict of this replica is unavailable',
  },
  denials_waiting: {
    severity: 'warning',
    summary: 'replicas refuse by revocations of an undone history that the primary does not have',
    action: 'look at them with `macaroond revocations pending`; then `macaroond revocations adopt` or `forget`',
  },
  disk_full: {
    severity: 'critical',
    summary: 'the disk is full',
    action: 'make room on the volume of `data`, space or inodes (`df -h`, `df -i`); it goes on by itself',
  },
  disk_reserve_low: {
    severity: 'critical',
    summary: 'more than half of the room that the primary keeps for revocations on a full disk is used',
    action: 'make room on the volume of `data` now: once the reserve is used up every region becomes unavailable',
  },
  drill_failed: {
    severity: 'critical',
    summary: 'a drill did not restore what was committed',
    action: '`macaroond archive verify`, then `macaroond archive snapshot`, so that there is a new sound base',
  },
  durability_degraded: {
    severity: 'critical',
    summary: 'revocations are acknowledged although they are on the primary’s disk alone',
    action: 'bring a replica or the archive back; the alarm ends with the next revocation that is durable',
  },
  epoch_unsettled: {
    severity: 'critical',
    summary: 'not every replica has joined this epoch, so no revocation is acknowledged',
    action:
      'start the replicas that are away; remove from `[[peers]]` those that are gone; once the old primary is surely stopped, restart with `--old-primary-stopped`',
    afterMs: 30_000,
  },
  keys_stale: {
    severity: 'warning',
    summary: 'this replica uses keys that it has opened before and could not open again after a restart',
    action: 'give it the key-encryption key that the alarm names, and restart it (RUNBOOK, "A new KEK")',
  },
  keys_unopened: {
    severity: 'critical',
    summary: 'this replica cannot open keys, so every verdict on their tokens is unavailable',
    action: 'give it the key-encryption key that the alarm names, and restart it (RUNBOOK, "A new KEK")',
  },
  lease_ran_out: {
    severity: 'critical',
    summary: 'this replica has no lease, so every verdict is unavailable',
    action: 'look at the primary and at the way to it; `macaroond status` tells which of the two channels is away',
    afterMs: 10_000,
  },
  log_blocked: {
    severity: 'warning',
    summary: 'the log of this node does not get out; beyond a limit its lines are dropped',
    action: 'free space where the log is written, or restart whatever reads it; the node goes on meanwhile',
  },
  log_damaged: {
    severity: 'warning',
    summary: 'the segment log is damaged, and replicas that need what it had get a snapshot',
    action: 'check the disk; the alarm ends with a restart of the primary',
  },
  minimum_unreached: {
    severity: 'critical',
    summary: 'a replica told this service of a state that no replica reaches, and the service has gone back',
    action:
      'look at the replica that the alarm names: it runs on another history, or it lies; take it out of `replicas`',
  },
  primary_refused: {
    severity: 'critical',
    summary: 'this replica and its primary have different histories',
    action: 'find out which of the two has the true history (RUNBOOK, "A replica refuses its primary")',
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
      'make room on the volume of `data`, or end the program that holds a lock on the database; it goes on by itself',
  },
  revocation_unknown: {
    severity: 'critical',
    summary: 'a revocation is of a kind that this version does not know, so every verdict is unavailable',
    action: 'upgrade this replica',
  },
  revocation_unreadable: {
    severity: 'critical',
    summary: 'a record of a revocation cannot be read',
    action: 'look at the record in the primary’s database and revoke the token again',
  },
  table_incomplete: {
    severity: 'critical',
    summary: 'the table that this replica judges by lacked revocations that its files name',
    action: 'find out since when (RUNBOOK, "A replica’s table and its files differ")',
  },
  table_unaccounted: {
    severity: 'warning',
    summary: 'the table that this replica judges by refuses more than its files name, which a restart could forget',
    action: 'revoke again what must stay refused (RUNBOOK, "A replica’s table and its files differ")',
  },
  third_party_broken: {
    severity: 'critical',
    summary: 'the private key of a third party cannot be used, so its tickets are not discharged',
    action:
      '`macaroond third-party remove NAME`, then `add` it again, and give the service its new public key; its caveats from before are cleared by nobody',
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
    action: 'start a replica, or let the primary reach its archive; `alone = true` is the word that there is no other',
    afterMs: 30_000,
  },
} as const

export type AlarmCode = keyof typeof KINDS

export const ALARMS: Readonly<Record<AlarmCode, AlarmKind>> = KINDS

/** In the order in which they are listed everywhere. */
export const ALARM_CODES: readonly AlarmCode[] = Object.keys(KINDS).toSorted() as AlarmCode[]

/** An alarm that is on. */
export interface Alarm {
  readonly code: AlarmCode
  readonly severity: Severity
  /** Which of several: the place of an archive, the name of a replica. Empty where there is only one. */
  readonly about: string
  /** The summary and the details of this case. */
  readonly message: string
  readonly action: string
  /** Unix milliseconds of the node's own wall clock. */
  readonly sinceMs: number
}
