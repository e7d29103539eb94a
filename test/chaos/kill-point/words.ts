/** Memory that the main thread and the assassin share. */

/** 1 while the main thread is inside the call. */
export const INSIDE = 0
/** How long such a call takes, in microseconds. */
export const TYPICAL_US = 1

export interface AssassinOrder {
  readonly shared: SharedArrayBuffer
  readonly recordFd: number
  readonly record: string
  /** Of the time that the call takes: where in it to strike, 0 to 1. */
  readonly share: number
}
