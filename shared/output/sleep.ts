const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4))

/** Holds this thread up. Only for the very end of a process, when nothing else is left to do. */
export function sleepSync(ms: number): void {
  Atomics.wait(NEVER_WOKEN, 0, 0, ms)
}
