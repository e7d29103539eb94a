/**
 * A mark: the epoch and the number of the last revocation that a holder has applied. Revocations are numbered anew in every
 * epoch, so a number alone does not order them.
 */

export interface Mark {
  readonly epoch: number
  readonly seq: number
}

/** The mark before every revocation, and the mark after every revocation. */
export const MARK_NONE: Mark = { epoch: -1, seq: 0 }
export const MARK_ALL: Mark = { epoch: Infinity, seq: Infinity }

/** Negative if `a` is before `b`, 0 if they are equal. */
export function compareMarks(a: Mark, b: Mark): number {
  return a.epoch === b.epoch ? Math.sign(a.seq - b.seq) : a.epoch < b.epoch ? -1 : 1
}

export function laterMark(a: Mark, b: Mark): Mark {
  return compareMarks(a, b) < 0 ? b : a
}

export function earlierMark(a: Mark, b: Mark): Mark {
  return compareMarks(a, b) < 0 ? a : b
}
