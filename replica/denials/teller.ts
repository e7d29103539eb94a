/**
 * Reports the denials of this replica to a primary, up to the number that a primary accepts, and again whenever they change.
 * Pauses between messages leave the connection to pings and acknowledgements.
 */
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
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
}

/** The pause between two messages: pings and acknowledgements use the same connection. */
const PAUSE_MS = 20
/** Limit of the rows in one message. A row of the greatest length still fits behind it. */
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
    // If the connection has ended, its reader reports the error.
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

  /** True if a report was sent. Without denials and without an earlier report, nothing is sent. */
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
