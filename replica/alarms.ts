/** The alarms of a replica that follow from a condition: each is on while its condition holds. */
import type { UnopenedKey } from '../shared/database/keys.ts'
import type { AlarmBoard } from '../shared/service/alarm-board.ts'
import type { Freshness } from './freshness/freshness.ts'
import type { PrimaryLinks } from './primary-links.ts'
import type { Tables } from './tables/tables.ts'

export interface ReplicaConditions {
  readonly links: Pick<PrimaryLinks, 'alarm'>
  readonly tables: Pick<Tables, 'uninterpretable' | 'poison' | 'keysRead'>
  readonly freshness: Pick<Freshness, 'now' | 'time' | 'remainingMs'>
}

/** Registers each condition with the board, which evaluates it when alarms are read. */
export function watchReplica(board: AlarmBoard, { links, tables, freshness }: ReplicaConditions): void {
  board.watch('primary_refused', () => links.alarm)
  board.watch('revocation_unknown', () => tables.uninterpretable)
  board.watch('revocation_unreadable', () => tables.poison)
  board.watch('keys_unopened', () => unopenedText(tables.keysRead.unopened))
  board.watch('keys_stale', () => unopenedText(tables.keysRead.stale))
  board.watch('clock_doubt', () => {
    const time = freshness.time(freshness.now())
    return time.credible ? undefined : time.message
  })
  board.watch('lease_ran_out', () => (freshness.remainingMs(freshness.now()) > 0 ? undefined : ''))
}

/** The reason of the first key and the number of the others, which usually have the same reason. */
function unopenedText(keys: readonly UnopenedKey[]): string | undefined {
  const [first, ...others] = keys
  if (first === undefined) return undefined
  return others.length === 0 ? first.error.message : `${first.error.message}; and ${others.length} more`
}
