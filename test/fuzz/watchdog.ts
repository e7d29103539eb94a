/** Runs the fuzzing thread, and ends it if one input takes too long. */
import { Worker } from 'node:worker_threads'
import { type FuzzOrder, type FuzzReport, SHARED_HEADER_BYTES } from './order.ts'
import { TARGETS } from './targets/list.ts'

/** Of CPU time: a machine that is busy with something else must not look like an input without end. */
export const WATCHDOG_MS = 2_000
const POLL_MS = 100
const HEAP_MB_MAX = 256

export async function watched(order: FuzzOrder): Promise<FuzzReport> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: order,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
  const watchdog = new Watchdog(worker, order)
  try {
    return await new Promise<FuzzReport>((resolve, reject) => {
      const fail = (why: unknown): void => reject(new Error(`${String(why)}; ${watchdog.current()}`, { cause: why }))
      worker.once('message', resolve)
      worker.once('error', fail)
      worker.once('exit', (status) => fail(`the worker ended with ${status}`))
      watchdog.start(fail)
    })
  } finally {
    watchdog.stop()
    await worker.terminate()
  }
}

class Watchdog {
  readonly #worker: Worker
  readonly #order: FuzzOrder
  readonly #header: Int32Array
  readonly #input: Uint8Array
  #timer: NodeJS.Timeout | undefined
  #seen = -1
  #spentMs = 0

  constructor(worker: Worker, order: FuzzOrder) {
    this.#worker = worker
    this.#order = order
    this.#header = new Int32Array(order.shared, 0, SHARED_HEADER_BYTES / 4)
    this.#input = new Uint8Array(order.shared, SHARED_HEADER_BYTES)
  }

  start(fail: (why: string) => void): void {
    this.#timer = setInterval(() => void this.#look(fail), POLL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  current(): string {
    const [number = 0, target = 0, length = 0] = this.#header
    const { seed, count } = this.#order
    const input = Buffer.from(this.#input.subarray(0, length)).toString('base64')
    return `seed ${seed}, input ${number} of ${count} (${TARGETS[target]?.name}), in base64: ${input}`
  }

  async #look(fail: (why: string) => void): Promise<void> {
    const count = Atomics.load(this.#header, 0)
    const { user, system } = await this.#worker.cpuUsage().catch(() => ({ user: 0, system: 0 }))
    const nowMs = (user + system) / 1_000
    if (count !== this.#seen) [this.#seen, this.#spentMs] = [count, nowMs]
    // The start of the worker, before its first input, is not counted; nor is its end, when it adds up what was reached.
    else if (count > 0 && count < this.#order.count && nowMs - this.#spentMs > WATCHDOG_MS)
      fail(`an input takes more than ${WATCHDOG_MS} ms`)
  }
}
