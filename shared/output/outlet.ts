/**
 * Writes the lines of a node without waiting and without throwing, so that a reader that hangs cannot stop the node. Lines wait
 * in memory up to a limit; beyond it they are dropped and counted. A line is written completely before the next, so none is
 * torn.
 */
import { systemClock, type CallOff } from '../clock.ts'
import { OUTPUT_RETRY_MS_MAX, OUTPUT_WAITING_BYTES_MAX } from '../limits.ts'
import { codeOf, type Sink } from './sink.ts'
import { sleepSync } from './sleep.ts'

const RETRY_MS_MIN = 20
const POLL_MS = 5

export interface OutletWatch {
  /** Called with the reason when nothing can be written, and with undefined once every waiting line is written. */
  readonly onObstacle: (why: string | undefined) => void
  /** Called when there is room again, with the number of lines dropped since the last call. */
  readonly onRoom: (dropped: number) => void
}

export class Outlet {
  readonly #sink: Sink
  #watch: OutletWatch | undefined
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #dropped = 0
  #droppedReported = 0
  #obstacle: string | undefined
  #callOff: CallOff | undefined
  #retryMs = RETRY_MS_MIN

  constructor(sink: Sink) {
    this.#sink = sink
  }

  /** Number of dropped lines since the start. */
  get dropped(): number {
    return this.#dropped
  }

  watch(watch: OutletWatch): void {
    this.#watch = watch
    watch.onObstacle(this.#obstacle)
  }

  /** Writes or queues a line; `line` includes its newline. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#waitingBytes + bytes.byteLength > OUTPUT_WAITING_BYTES_MAX) {
      this.#dropped += 1
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.byteLength
    if (this.#callOff === undefined) this.#flush()
  }

  /** The last call. Blocks until all lines are written, at most `limitMs`; the rest is dropped. */
  end(limitMs: number): void {
    this.#callOff?.()
    for (let leftMs = limitMs; ; leftMs -= POLL_MS) {
      this.#push()
      if (this.#waiting.length === 0 || leftMs <= 0) return this.#sink.close(Math.max(0, leftMs))
      sleepSync(POLL_MS)
    }
  }

  #flush(): void {
    this.#callOff = undefined
    const why = this.#push()
    if (this.#waiting.length > 0) return this.#later(why ?? 'nobody reads it')
    this.#retryMs = RETRY_MS_MIN
    this.#set(undefined)
    const dropped = this.#dropped - this.#droppedReported
    this.#droppedReported = this.#dropped
    if (dropped > 0) this.#watch?.onRoom(dropped)
  }

  #later(why: string): void {
    this.#callOff = systemClock.after(this.#retryMs, () => this.#flush(), { background: true })
    this.#retryMs = Math.min(OUTPUT_RETRY_MS_MAX, this.#retryMs * 2)
    if (this.#retryMs === OUTPUT_RETRY_MS_MAX) this.#set(why)
  }

  #set(obstacle: string | undefined): void {
    if (obstacle === this.#obstacle) return
    this.#obstacle = obstacle
    this.#watch?.onObstacle(obstacle)
  }

  /** Writes as much as there is room for. Returns the system's error code if a write failed. */
  #push(): string | undefined {
    try {
      for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
        const taken = this.#sink.take(first)
        if (taken === 0) return undefined
        this.#waitingBytes -= taken
        if (taken === first.byteLength) this.#waiting.shift()
        else this.#waiting[0] = first.subarray(taken)
      }
    } catch (error) {
      return codeOf(error)
    }
    return undefined
  }
}
