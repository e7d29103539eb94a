/** Shell of the core in `pulse.ts`: one timer a connection, which does not keep the process alive. */
import type { CallOff, Clock, Timers } from '../clock.ts'
import { startPulse, stepPulse, type Pulse, type PulseLimits } from './pulse.ts'

export interface HeartbeatOptions {
  readonly clock: Clock & Timers
  readonly limits: PulseLimits
  /** True while this end reads from its socket. */
  readonly listening: () => boolean
  /** Sends a heartbeat. */
  readonly onBeat: () => void
  /** Called when the peer has been silent for too long; the heartbeat has then stopped. */
  readonly onSilence: () => void
}

export class Heartbeat {
  readonly #options: HeartbeatOptions
  #pulse: Pulse
  #callOff: CallOff | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#pulse = startPulse(options.clock.monotonicMs(), options.limits)
  }

  start(): void {
    this.#pulse = startPulse(this.#options.clock.monotonicMs(), this.#options.limits)
    this.#schedule()
  }

  stop(): void {
    this.#callOff?.()
    this.#callOff = undefined
  }

  /** Call it for decrypted data only. Anybody on the network path could send raw bytes. */
  heard(): void {
    this.#pulse = { ...this.#pulse, heardMs: this.#options.clock.monotonicMs() }
  }

  #schedule(): void {
    const waitMs = Math.max(1, this.#pulse.dueMs - this.#options.clock.monotonicMs())
    this.#callOff = this.#options.clock.after(waitMs, () => this.#tick(), { background: true })
  }

  #tick(): void {
    const { clock, limits, listening, onBeat, onSilence } = this.#options
    const step = stepPulse(this.#pulse, clock.monotonicMs(), listening(), limits)
    this.#pulse = step.pulse
    if (step.silent) return onSilence()
    // The next tick is scheduled before the beat, because sending may find the connection dead and stop this heartbeat.
    this.#schedule()
    if (step.beat) onBeat()
  }
}
