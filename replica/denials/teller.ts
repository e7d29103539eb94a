/** Tells a primary of the denials here, from the first on and as many as it listens to; anew whenever there are others. */
import { pause, type Timers } from '../../shared/clock.ts'
import {
  CONTROL_MESSAGE_BYTES_MAX,
  DENIAL_RECORD_BYTES_MAX,
  DENIALS_CALL_MAX,
  DENIALS_TOLD_MAX,
} from '../../shared/limits.ts'
import type { Denial, ToldDenials } from '../../shared/protocol/denials.ts'
import type { Denials } from './denials.ts'

export interface DenialsTellerOptions {
  readonly denials: Pick<Denials, 'size' | 'told'>
  readonly clock: Pick<Timers, 'after'>
  readonly send: (message: ToldDenials) => Promise<void>
  /** Of the connection's end. */
  readonly signal: AbortSignal
}

/** Between two messages: pings and acknowledgements use the same connection. */
const PAUSE_MS = 20
/** Few rows are longer than a hundredth of the longest. */
const BYTES_A_MESSAGE: number = CONTROL_MESSAGE_BYTES_MAX / 4 - DENIAL_RECORD_BYTES_MAX

export class DenialsTeller {
  readonly #options: DenialsTellerOptions
  #telling = false
  #again = false

  constructor(options: DenialsTellerOptions) {
    this.#options = options
  }

  tell(): void {
    this.#again = true
    if (this.#telling) return
    this.#telling = true
    // A connection that has ended says so itself.
    void this.#tellAll()
      .catch(() => undefined)
      .finally(() => (this.#telling = false))
  }

  async #tellAll(): Promise<void> {
    const { signal, clock, denials } = this.#options
    while (this.#again && !signal.aborted) {
      this.#again = false
      if (denials.size > 0 || this.#hasTold) await this.#tellOnce()
      await pause(clock, PAUSE_MS)
    }
  }

  /** Where there was nothing from the beginning, nothing is said. */
  #hasTold = false

  async #tellOnce(): Promise<void> {
    const { denials, send, signal, clock } = this.#options
    const total = denials.size
    let [first, told] = [true, 0]
    let batch: Denial[] = []
    let bytes = 0
    for (const denial of denials.told()) {
      if (signal.aborted || told + batch.length === DENIALS_TOLD_MAX) break
      const length = JSON.stringify(denial).length
      if (batch.length === DENIALS_CALL_MAX || bytes + length > BYTES_A_MESSAGE) {
        await send({ t: 'denials', total, first, last: false, denials: batch })
        await pause(clock, PAUSE_MS)
        told += batch.length
        first = false
        batch = []
        bytes = 0
      }
      batch.push(denial)
      bytes += length
    }
    await send({ t: 'denials', total, first, last: true, denials: batch })
    this.#hasTold = true
  }
}
