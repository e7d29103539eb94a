/** Names a history of revocations and a point in it. Journal, stream, tables and feed share these types. */
import type { Epoch, Timeline } from '../../shared/ids.ts'
import type { Stretch } from '../../shared/protocol/stretch.ts'

/** Revocations are numbered within a timeline; its epoch says which of two timelines is newer. */
export interface History {
  readonly timeline: Timeline
  readonly epoch: Epoch
}

/** Every revocation of the history up to `seq` is known. */
export interface HistoryPoint extends History {
  readonly seq: number
}

/** Receives revocations in the order of their history, each as soon as this replica enforces it. */
export type RowObserver = (history: History, stretch: Stretch) => void
