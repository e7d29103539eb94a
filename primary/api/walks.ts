/**
 * Serialises walks: calls that read large amounts of stored data. One walk runs at a time, in slices, and callers take turns.
 * A walk ends if its caller disconnects. A call reads nothing before its turn, so waiting calls cost no work.
 */
import { systemClock, turn, type Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { RETRY_AFTER_MS, WALKS_WAITING_MAX } from '../../shared/limits.ts'
import { FairQueue } from '../../shared/service/fair-queue.ts'

/** The caller of a walk. */
export interface Walker {
  readonly peerId: string
  /** Aborts when the caller disconnects. */
  readonly signal: AbortSignal
}

interface Waiting {
  readonly walker: Walker
  /** Never rejects: an error of the walk, also one before its first await, goes to its caller only. */
  readonly start: () => Promise<void>
  readonly reject: (error: unknown) => void
}

export class Walks {
  readonly #queue = new FairQueue<Waiting>({
    itemsMax: WALKS_WAITING_MAX,
    charsMax: Infinity,
    shareOf: ({ walker }) => ({ caller: walker.peerId, org: '', chars: 0 }),
  })
  readonly #timers: Pick<Timers, 'soon'>
  #walking = false

  constructor(timers: Pick<Timers, 'soon'> = systemClock) {
    this.#timers = timers
  }

  /** Throws overloaded, closed (the caller has disconnected), and the errors of the walk. */
  run<T>(walker: Walker, walk: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const start = async (): Promise<void> => {
      try {
        if (walker.signal.aborted) throw callerGone()
        resolve(await walk(walker.signal))
      } catch (error) {
        reject(error)
      }
    }
    for (const { reject: refuse } of this.#queue.add({ walker, start, reject })) refuse(overloaded())
    void this.#walkAll()
    return promise
  }

  async #walkAll(): Promise<void> {
    if (this.#walking) return
    this.#walking = true
    try {
      for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) {
        await next.start()
        // A short walk is one slice. Without this, many short walks would block the event loop.
        await turn(this.#timers)
      }
    } finally {
      this.#walking = false
    }
  }
}

export function callerGone(): MacaroondError {
  return new MacaroondError('closed', 'the caller has disconnected')
}

function overloaded(): MacaroondError {
  return new MacaroondError('overloaded', 'too many calls wait to read stored data', {
    hint: 'try again in a second',
    retryAfterMs: RETRY_AFTER_MS,
  })
}
