import type { Checksum, Timeline, Txid } from '../../shared/ids.ts'
import type { Position } from '../../shared/position.ts'
import type { PageSource } from '../../shared/sqlite/page-source.ts'

/** What the archiver reads: the committed history of this primary. */
export interface ArchiveSource {
  readonly timeline: Timeline
  /** First transaction of this epoch; 0 in the first epoch. */
  readonly base: Txid
  readonly head: Position
  /** The segment as it was committed, or undefined where the log no longer has it. */
  readonly segment: (txid: Txid) => Buffer | undefined
  /** Undefined where the log does not reach back to it. */
  readonly checksumAt: (txid: Txid) => Checksum | undefined
  /** The database as of its head. */
  readonly pin: () => PageSource
}
