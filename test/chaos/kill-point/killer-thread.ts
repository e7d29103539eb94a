/** A thread that kills its own process while the main thread is inside a call of SQLite, a random time after the call began. */
import { writeSync, ftruncateSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { INSIDE, TYPICAL_US, type KillerOrder } from './words.ts'

const { shared, recordFd, record, share } = workerData as KillerOrder
const words = new Int32Array(shared)

function spin(microseconds: number): void {
  const until = process.hrtime.bigint() + BigInt(Math.round(microseconds * 1000))
  while (process.hrtime.bigint() < until);
}

let attempt = 0
for (;;) {
  Atomics.wait(words, INSIDE, 0)
  attempt += 1
  // Each attempt kills earlier than the one before: a call that returned in time was shorter than measured.
  spin((Atomics.load(words, TYPICAL_US) * share) / attempt)
  if (Atomics.load(words, INSIDE) === 0) continue
  writeSync(recordFd, record, 0)
  if (Atomics.load(words, INSIDE) === 1) process.kill(process.pid, 'SIGKILL')
  ftruncateSync(recordFd, 0)
}
