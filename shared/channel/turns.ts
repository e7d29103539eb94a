/**
 * Gives handshakes turns at a bounded rate, round-robin over the waiting addresses. A storm from one host delays another host
 * by one turn. A peer that gives up takes no turn.
 */
import type { CallOff, Clock, Timers } from '../clock.ts'

export interface TurnsOptions {
  readonly perSecond: number
  /** Handshakes that may come in one burst, after a pause, without waiting. */
  readonly atOnce: number
  readonly clock: Pick<Clock, 'monotonicMs'> & Pick<Timers, 'after'>
}

/** A token bucket in front of a round-robin over the waiting addresses. */
export class Turns {
  readonly #options: TurnsOptions
  /** Waiting handshakes by address, in the order of the next turns. No list is empty. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #left: number
  #countedMs: number
  #callOff: CallOff | undefined

  constructor(options: TurnsOptions) {
    this.#options = options
    this.#left = options.atOnce
    this.#countedMs = options.clock.monotonicMs()
  }

  /** Resolves when it is this handshake's turn. Throws the reason of the signal. */
  async turn(address: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve } = Promise.withResolvers<void>()
    const giveUp = (): void => {
      this.#leave(address, resolve)
      resolve()
    }
    signal.addEventListener('abort', giveUp, { once: true })
    this.#waiting.set(address, [...(this.#waiting.get(address) ?? []), resolve])
    this.#serve()
    await promise
    signal.removeEventListener('abort', giveUp)
    signal.throwIfAborted()
  }

  #serve(): void {
    this.#refill()
    for (const [address, [first, ...others]] of this.#waiting) {
      if (this.#left < 1) break
      this.#left -= 1
      this.#waiting.delete(address)
      if (others.length > 0) this.#waiting.set(address, others)
      first?.()
    }
    if (this.#waiting.size === 0 || this.#callOff !== undefined) return
    const untilNextMs = ((1 - this.#left) * 1000) / this.#options.perSecond
    this.#callOff = this.#options.clock.after(untilNextMs, () => {
      this.#callOff = undefined
      this.#serve()
    })
  }

  #refill(): void {
    const { perSecond, atOnce, clock } = this.#options
    const nowMs = clock.monotonicMs()
    this.#left = Math.min(atOnce, this.#left + ((nowMs - this.#countedMs) * perSecond) / 1000)
    this.#countedMs = nowMs
  }

  #leave(address: string, go: () => void): void {
    const others = this.#waiting.get(address)?.filter((other) => other !== go) ?? []
    if (others.length > 0) this.#waiting.set(address, others)
    else this.#waiting.delete(address)
  }
}
