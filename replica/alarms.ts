/** The conditions of a replica that are alarms while they last. */
import type { AlarmBoard } from '../shared/service/alarm-board.ts'
import type { Freshness } from './freshness/freshness.ts'
import type { PrimaryLinks } from './primary-links.ts'
import type { Tables } from './tables/tables.ts'

export interface ReplicaConditions {
  readonly links: Pick<PrimaryLinks, 'alarm'>
  readonly tables: Pick<Tables, 'uninterpretable' | 'poison'>
  readonly freshness: Pick<Freshness, 'now' | 'time' | 'remainingMs'>
}

export function watchReplica(board: AlarmBoard, { links, tables, freshness }: ReplicaConditions): void {
  board.watch('primary_refused', () => links.alarm)
  board.watch('revocation_unknown', () => tables.uninterpretable)
  board.watch('revocation_unreadable', () => tables.poison)
  board.watch('clock_doubt', () => {
    const time = freshness.time(freshness.now())
    return time.credible ? undefined : time.message
  })
  board.watch('lease_ran_out', () => (freshness.remainingMs(freshness.now()) > 0 ? undefined : ''))
}
