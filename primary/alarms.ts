/** The conditions of a primary that raise an alarm. Each is computed from the present state, so an alarm ends by itself. */
import type { AlarmBoard, Case } from '../shared/service/alarm-board.ts'
import type { Adoption } from './adoption/adoption.ts'
import type { Archives } from './archiver/archives.ts'
import type { AuthorityState } from './authority/state.ts'
import type { DiskRoom } from './commit-log/disk-room.ts'
import type { Durability } from './durability/durability.ts'
import type { AuthorityClock } from './freshness/authority-clock.ts'
import type { Obstacles } from './obstacles.ts'
import type { WritesGate } from './writes-gate.ts'

export interface PrimaryConditions {
  readonly writer: { readonly state: Pick<AuthorityState, 'settledEpoch' | 'epoch' | 'thirdParties' | 'archiveChains'> }
  readonly gate: Pick<WritesGate, 'state' | 'confirmed' | 'refusedReplicas'>
  readonly obstacles: Pick<Obstacles, 'blockedBy'>
  readonly commitLog: { readonly room: Pick<DiskRoom, 'bytes'> }
  readonly authorityClock: Pick<AuthorityClock, 'time'>
  readonly durability: Pick<Durability, 'status'>
  readonly adoption: Pick<Adoption, 'cases'>
  readonly archives: Pick<Archives, 'alertsOf' | 'repaired'> | undefined
}

/** Alarms that concern one archive. */
const ARCHIVE_ALARMS = [
  'archive_behind',
  'archive_failing',
  'archive_job_failing',
  'archive_late',
  'archive_missing',
  'drill_failed',
] as const

/** Registers the conditions. The board evaluates them on a timer, and whenever a part asks for it. */
export function watchPrimary(
  board: AlarmBoard,
  { writer, gate, obstacles, commitLog, authorityClock, durability, adoption, archives }: PrimaryConditions,
): void {
  const when = (is: boolean): string | undefined => (is ? '' : undefined)
  board.watch('clock_doubt', () => (authorityClock.time.credible ? undefined : authorityClock.time.message))
  board.watch('disk_full', () => when(gate.state === 'disk full'))
  board.watch('disk_reserve_low', () => when(commitLog.room.bytes.left * 2 < commitLog.room.bytes.reserve))
  board.watch('revocations_blocked', () => obstacles.blockedBy)
  board.watch('writes_unconfirmed', () => when(!gate.confirmed))
  board.watch('epoch_unsettled', () => when(writer.state.settledEpoch < writer.state.epoch))
  board.watch('durability_degraded', () => sinceText(durability.status().degradedSinceMs))
  board.watchEach('denials_waiting', () => adoption.cases)
  board.watchEach('replica_refused', () => gate.refusedReplicas)
  board.watchEach('third_party_broken', () => brokenOf(writer.state))
  board.watchEach('archive_repaired', () => archives?.repaired(writer.state.archiveChains) ?? [])
  for (const code of ARCHIVE_ALARMS) board.watchEach(code, () => archives?.alertsOf(code) ?? [])
}

function sinceText(ms: number | null): string | undefined {
  return ms === null ? undefined : `since ${new Date(ms).toISOString()}`
}

function brokenOf({ thirdParties }: Pick<AuthorityState, 'thirdParties'>): readonly Case[] {
  return [...thirdParties.values()].flatMap(({ name, fault }): Case[] => (fault === undefined ? [] : [[name, fault]]))
}
