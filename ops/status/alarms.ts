/**
 * The alarms of nodes as `status` prints them, above everything else. A node of 0.1.0 reports no list of alarms; for it the
 * list is derived from the other fields of its status.
 */
import type { NodeStatus, PrimaryStatus, ReplicaStatus } from '../../shared/protocol/status.ts'
import { type Alarm, type AlarmCode, ALARMS } from '../../shared/alarms.ts'

/** The status of a node that may be of 0.1.0, which has no list of alarms. */
type MaybeWithoutAlarms<T extends NodeStatus> = Omit<T, 'alarms'> & Partial<Pick<T, 'alarms'>>
export type ReportedStatus = MaybeWithoutAlarms<PrimaryStatus> | MaybeWithoutAlarms<ReplicaStatus>

/** One node's status under the name that the lines use. */
export interface NodeReport {
  /** `primary`, or `replica fra`. */
  readonly who: string
  readonly status: ReportedStatus
}

/** Two lines for each alarm: the alarm, and the action for the operator. */
export function alarmLines(nodes: readonly NodeReport[]): readonly string[] {
  return nodes.flatMap(({ who, status }) => alarmsIn(status).flatMap((alarm) => linesOf(who, alarm)))
}

/** The alarms that a node reports, or those derived from the status of a node of 0.1.0. */
export function alarmsIn(status: ReportedStatus): readonly Alarm[] {
  return status.alarms ?? (status.role === 'primary' ? ofOldPrimary(status) : ofOldReplica(status))
}

function linesOf(who: string, { code, severity, message, action, sinceMs }: Alarm): readonly string[] {
  const word = severity === 'critical' ? 'ALARM' : 'warning'
  const since = sinceMs === 0 ? '' : `, since ${new Date(sinceMs).toISOString()}`
  return [`${word} ${who}: ${message} (${code}${since})`, `  do: ${action}`]
}

/** The alarms that the other fields of a 0.1.0 primary amount to. */
function ofOldPrimary({ freshness, durability, archive }: MaybeWithoutAlarms<PrimaryStatus>): readonly Alarm[] {
  const { settled, clockDoubt } = freshness
  const { degradedSinceMs } = durability
  return [
    ...(degradedSinceMs === null ? [] : [alarmOf('durability_degraded', '', degradedSinceMs)]),
    ...(settled ? [] : [alarmOf('epoch_unsettled', '')]),
    ...(clockDoubt === null ? [] : [alarmOf('clock_doubt', clockDoubt)]),
    ...(archive?.alerts ?? []).map((alert) => alarmOf('archive_failing', alert)),
  ]
}

function ofOldReplica({ alarm, freshness: { clockDoubt } }: MaybeWithoutAlarms<ReplicaStatus>): readonly Alarm[] {
  return [
    ...(alarm === null ? [] : [alarmOf('primary_refused', alarm)]),
    ...(clockDoubt === null ? [] : [alarmOf('clock_doubt', clockDoubt)]),
  ]
}

/** `detail` is the node's own message if there is one: in 0.1.0 one field served several alarms. */
function alarmOf(code: AlarmCode, detail: string, sinceMs: number = 0): Alarm {
  const { severity, summary, action } = ALARMS[code]
  return { code, severity, about: '', message: detail === '' ? summary : detail, action, sinceMs }
}
