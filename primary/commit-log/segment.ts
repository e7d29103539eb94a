import type { Position } from '../../shared/position.ts'

/** A committed transaction as it is shipped. */
export interface CommittedSegment {
  readonly position: Position
  /** The LTX file. */
  readonly bytes: Buffer
  /** Last frame of the transaction in the WAL: the checkpointer must not reset a WAL with frames beyond what was logged. */
  readonly endFrame: number
}
