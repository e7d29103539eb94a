/**
 * Reports the denials of this replica to its primary, up to the number that a primary accepts, and again after each change.
 * It pauses between messages, because pings and acknowledgements use the same connection.
 */
import { pause, type Timers } from '../../shared/clock.ts'
import {
  CONTROL_MESSAGE_BYTES_MAX,
  DENIAL_RECORD_BYTES_MAX,
  DENIALS_CALL_MAX,
  DENIALS_REPORTED_MAX,
} from '../../shared/limits.ts'
import type { Denial, ReportedDenials } from '../../shared/protocol/denials.ts'
import type { Denials } from './denials.ts'

export interface DenialsReporterOptions {
  readonly denials: Pick<Denials, 'size' | 'numbered'>
  readonly clock: Pick<Timers, 'after'>
  readonly send: (message: ReportedDenials) => Promise<void>
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
}

/** The pause between two messages. */
const PAUSE_MS = 20
/** A message gets no further row once its rows exceed this. One more row of the greatest length still fits. */
const BYTES_A_MESSAGE: number = CONTROL_MESSAGE_BYTES_MAX / 4 - DENIAL_RECORD_BYTES_MAX

export class DenialsReporter {
  readonly #options: DenialsReporterOptions
  #reporting = false
  #again = false

  constructor(options: DenialsReporterOptions) {
    this.#options = options
  }

  report(): void {
    this.#again = true
    if (this.#reporting) return
    this.#reporting = true
    // If the connection has ended, its reader reports the error.
    void this.#reportWhileChanged()
      .catch(() => undefined)
      .finally(() => (this.#reporting = false))
  }

  async #reportWhileChanged(): Promise<void> {
    const { signal, clock, denials } = this.#options
    while (this.#again && !signal.aborted) {
      this.#again = false
      if (denials.size > 0 || this.#hasReported) await this.#reportOnce()
      await pause(clock, PAUSE_MS)
    }
  }

  /** True if a report was sent. Without denials and without an earlier report, nothing is sent. */
  #hasReported = false

  async #reportOnce(): Promise<void> {
    const { denials, send, signal, clock } = this.#options
    const total = denials.size
    let [first, sent] = [true, 0]
    let batch: Denial[] = []
    let bytes = 0
    for (const denial of denials.numbered()) {
      if (signal.aborted || sent + batch.length === DENIALS_REPORTED_MAX) break
      const length = JSON.stringify(denial).length
      if (batch.length === DENIALS_CALL_MAX || bytes + length > BYTES_A_MESSAGE) {
        await send({ t: 'denials', total, first, last: false, denials: batch })
        await pause(clock, PAUSE_MS)
        sent += batch.length
        first = false
        batch = []
        bytes = 0
      }
      batch.push(denial)
      bytes += length
    }
    await send({ t: 'denials', total, first, last: true, denials: batch })
    this.#hasReported = true
  }
}
