/** Memory that the main thread and the killer thread share. */

/** 1 while the main thread is inside the call. */
export const INSIDE = 0
/** How long such a call takes, in microseconds. */
export const TYPICAL_US = 1

export interface KillerOrder {
  readonly shared: SharedArrayBuffer
  readonly recordFd: number
  readonly record: string
  /** The kill comes after this share of the time that the call takes, 0 to 1. */
  readonly share: number
}
