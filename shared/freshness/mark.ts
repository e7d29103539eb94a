/** How far somebody is in the revocations: numbers count anew with every epoch, so an epoch goes with each. */

export interface Mark {
  readonly epoch: number
  readonly seq: number
}

/** Before everything, and behind everything. */
export const MARK_NONE: Mark = { epoch: -1, seq: 0 }
export const MARK_ALL: Mark = { epoch: Infinity, seq: Infinity }

/** Negative when `a` is before `b`. */
export function compareMarks(a: Mark, b: Mark): number {
  return a.epoch === b.epoch ? Math.sign(a.seq - b.seq) : a.epoch < b.epoch ? -1 : 1
}

export function laterMark(a: Mark, b: Mark): Mark {
  return compareMarks(a, b) < 0 ? b : a
}

export function earlierMark(a: Mark, b: Mark): Mark {
  return compareMarks(a, b) < 0 ? a : b
}
