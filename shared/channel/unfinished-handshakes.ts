/**
 * The links that are not welcomed yet, limited in number and time. A real peer needs milliseconds, so in a flood the OLDEST
 * link is closed: an attacker that opens sockets and sends nothing evicts its own sockets, not peers that do send.
 */
import type { CallOff, Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'

export interface UnfinishedOptions {
  readonly countMax: number
  readonly timeoutMs: number
  readonly clock: Pick<Timers, 'after'>
}

interface Entry {
  readonly address: string
  readonly abort: (error: MacaroondError) => void
  readonly callOff: CallOff
}

/** Each link is removed once: by its welcome, its timeout, its eviction or the end of the listener. */
export class UnfinishedHandshakes {
  readonly #options: UnfinishedOptions
  /** In order of arrival, oldest first. */
  readonly #entries: Set<Entry> = new Set()
  readonly #perAddress: Map<string, number> = new Map()

  constructor(options: UnfinishedOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#entries.size
  }

  /** Adds a link. `abort` is called on timeout and on eviction. Returns a function that removes the link. */
  add(address: string, abort: (error: MacaroondError) => void): () => void {
    if (this.#entries.size >= this.#options.countMax) this.#evict()
    const { clock, timeoutMs } = this.#options
    const callOff = clock.after(timeoutMs, () => this.#end(entry, timedOut(timeoutMs)))
    const entry: Entry = { address, abort, callOff }
    this.#entries.add(entry)
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    return () => this.#remove(entry)
  }

  abortAll(error: MacaroondError): void {
    for (const entry of this.#entries) this.#end(entry, error)
  }

  /** Evicts the oldest link of the address with the most links, so that a flood from one host evicts no other host. */
  #evict(): void {
    const most = Math.max(...this.#perAddress.values())
    for (const entry of this.#entries) {
      if (this.#perAddress.get(entry.address) !== most) continue
      return this.#end(entry, new MacaroondError('overloaded', 'too many unfinished handshakes'))
    }
  }

  #end(entry: Entry, error: MacaroondError): void {
    this.#remove(entry)
    entry.abort(error)
  }

  #remove(entry: Entry): void {
    if (!this.#entries.delete(entry)) return
    entry.callOff()
    const left = (this.#perAddress.get(entry.address) ?? 1) - 1
    if (left === 0) this.#perAddress.delete(entry.address)
    else this.#perAddress.set(entry.address, left)
  }
}

function timedOut(timeoutMs: number): MacaroondError {
  return new MacaroondError('timeout', `the peer did not finish the handshake within ${timeoutMs} ms`)
}
