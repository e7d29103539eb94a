/** A committed transaction in the form in which it is logged and shipped. */
import type { Position } from '../../shared/position.ts'

export interface CommittedSegment {
  readonly position: Position
  /** The LTX file. */
  readonly bytes: Buffer
  /** Last frame of the transaction in the WAL. The checkpointer must not reset a WAL with frames that are not logged. */
  readonly endFrame: number
}
