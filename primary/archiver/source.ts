/** The interface through which the archiver reads this primary's committed history. */
import type { Checksum, Epoch, Timeline, Txid } from '../../shared/ids.ts'
import type { Position } from '../../shared/position.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'

export interface CommittedHistory {
  readonly timeline: Timeline
  /** First transaction of each epoch that the database knows, ascending by epoch; 0 for the first epoch. */
  readonly bases: ReadonlyMap<Epoch, Txid>
  readonly head: Position
  /** Time of the head, unix milliseconds. The same for the same database and log, however often it is read. */
  readonly headMs: number
  /** The segment of a transaction; undefined if the log no longer has it. */
  readonly segment: (txid: Txid) => Buffer | undefined
  /** Checksum after a transaction; undefined if the log does not reach it. */
  readonly checksumAt: (txid: Txid) => Checksum | undefined
  /** A view of the database at its head. Release it soon. */
  readonly pin: () => PageSource
}
