/**
 * Everything that reads what strangers write, fed with mutated inputs: all decoders, the parser of caveats, and paths of
 * accesses. FUZZ_CASES says how many (default 200,000), FUZZ_SEED which ones; a failure prints both and its input.
 */
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { type FuzzOrder, type FuzzReport, SHARED_HEADER_BYTES } from './order.ts'
import { TARGETS } from './targets.ts'

const CASES = Number(process.env['FUZZ_CASES'] ?? 200_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)

/** Of CPU time: a machine that is busy with something else must not look like an input without end. */
const WATCHDOG_MS = 2_000
const POLL_MS = 100
const INPUT_BYTES_MAX = 256 * 1024
/** For all that was ever kept and all that waits for collection, far below what one unbounded input would take. */
const HEAP_MB_MAX = 256
const BUFFER_BYTES_MAX = 512 * 2 ** 20

it(`survives ${CASES} inputs from seed ${SEED}: nothing but documented errors, in bounded time and memory`, async () => {
  const shared = new SharedArrayBuffer(SHARED_HEADER_BYTES + INPUT_BYTES_MAX)
  const report = await watched({ seed: SEED, count: CASES, shared })
  console.log(summaryOf(report))
  expect(report.inputs).toBe(CASES)
  expect(report.slowestMs, report.slowestTarget).toBeLessThan(WATCHDOG_MS)
  expect(report.bufferBytesMax).toBeLessThan(BUFFER_BYTES_MAX)
  // Both sides of every reader were reached, or the run says nothing of them.
  const outcomes = Object.keys(report.outcomes)
  const readers = ['v1 bytes', 'v2 bytes', 'v2j bytes', 'identifier', 'v1', 'v2', 'v2j', 'text']
  for (const wanted of [
    ...readers.map((reader) => `${reader} accepted`),
    'bundle of several',
    'condition of several',
  ]) {
    expect(outcomes).toContain(wanted)
  }
  expect(outcomes.filter((outcome) => / token_\w+ /.test(outcome)).length).toBeGreaterThan(40)
})

async function watched(order: FuzzOrder): Promise<FuzzReport> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: order,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
  const watchdog = new Watchdog(worker, order.shared)
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
  readonly #header: Int32Array
  readonly #input: Uint8Array
  #timer: NodeJS.Timeout | undefined
  #seen = -1
  #spentMs = 0

  constructor(worker: Worker, shared: SharedArrayBuffer) {
    this.#worker = worker
    this.#header = new Int32Array(shared, 0, SHARED_HEADER_BYTES / 4)
    this.#input = new Uint8Array(shared, SHARED_HEADER_BYTES)
  }

  start(fail: (why: string) => void): void {
    this.#timer = setInterval(() => void this.#look(fail), POLL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  current(): string {
    const [count = 0, target = 0, length = 0] = this.#header
    const input = Buffer.from(this.#input.subarray(0, length)).toString('base64')
    return `seed ${SEED}, input ${count} of ${CASES} (${TARGETS[target]}), in base64: ${input}`
  }

  async #look(fail: (why: string) => void): Promise<void> {
    const count = Atomics.load(this.#header, 0)
    const { user, system } = await this.#worker.cpuUsage().catch(() => ({ user: 0, system: 0 }))
    const nowMs = (user + system) / 1_000
    if (count !== this.#seen) [this.#seen, this.#spentMs] = [count, nowMs]
    // The start of the worker, before its first input, is not counted.
    else if (count > 0 && nowMs - this.#spentMs > WATCHDOG_MS) fail(`an input takes more than ${WATCHDOG_MS} ms`)
  }
}

/** How each target ended, and how often. */
function summaryOf({ outcomes, slowestMs, slowestTarget, bufferBytesMax }: FuzzReport): string {
  const lines = Object.entries(outcomes)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([outcome, count]) => `${String(count).padStart(9)}  ${outcome}`)
  const memory = `${Math.ceil(bufferBytesMax / 2 ** 20)} MB of buffers at most`
  return [...lines, `slowest: ${slowestMs} ms (${slowestTarget}); ${memory}`].join('\n')
}
