/** A blocking sleep. */
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4))

/** Blocks this thread. Only for the end of a process, when no other work is left. */
export function sleepSync(ms: number): void {
  Atomics.wait(NEVER_WOKEN, 0, 0, ms)
}
