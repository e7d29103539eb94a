/**
 * Virtual time: what happens is a queue of calls, each at its moment, each run to its end before the next one begins. Nothing
 * else moves in the process, so the order of everything follows from what was put in.
 */

/** Whose call it is: a process may be stopped for a while, or over. */
export interface Owner {
  /** The moment from which on it may run again: now, later, or never (Infinity). */
  readonly runsFromMs: (nowMs: number) => number
}

/** Owner of calls that belong to no process, such as faults: they run at their time, whatever has stopped. */
export const UNOWNED: Owner = { runsFromMs: (nowMs) => nowMs }

/** After a stop timers run before what has come from outside, as in Node. */
export type Phase = 'timer' | 'arrival'

interface Entry {
  readonly owner: Owner
  readonly call: () => void
  readonly phase: number
  readonly seq: number
  atMs: number
  off: boolean
}

export class Scheduler {
  readonly #onThrown: (error: unknown, owner: Owner) => void
  readonly #heap: Entry[] = []
  #nowMs = 0
  #seq = 0
  #ran = 0

  /** `onThrown`: what would end a process, thrown where nobody catches it. */
  constructor(onThrown: (error: unknown, owner: Owner) => void) {
    this.#onThrown = onThrown
  }

  /** True time, milliseconds since the run began. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Calls so far. */
  get ran(): number {
    return this.#ran
  }

  /** Returns what calls it off. */
  at(atMs: number, owner: Owner, call: () => void, phase: Phase = 'arrival'): () => void {
    const rank = phase === 'timer' ? 0 : 1
    const entry: Entry = {
      owner,
      call,
      phase: rank,
      seq: (this.#seq += 1),
      atMs: Math.max(atMs, this.#nowMs),
      off: false,
    }
    this.#push(entry)
    return () => void (entry.off = true)
  }

  /** Runs everything up to that moment; `stop` is asked between two calls. */
  async runUntil(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs && !stop(); next = this.#heap[0]) {
      this.#pop()
      if (next.off) continue
      this.#nowMs = next.atMs
      const fromMs = next.owner.runsFromMs(this.#nowMs)
      if (fromMs === Infinity) continue
      if (fromMs > this.#nowMs) {
        next.atMs = fromMs
        this.#push(next)
        continue
      }
      this.#ran += 1
      this.#run(next)
      // Promises settle each other in this turn; whoever waits for time waits in the queue above.
      await new Promise(nextTurn)
    }
    if (!stop()) this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  #run({ call, owner }: Entry): void {
    try {
      call()
    } catch (error) {
      this.#onThrown(error, owner)
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(entry, heap[parent])) break
      heap[index] = heap[parent] as Entry
      index = parent
    }
    heap[index] = entry
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      if (left >= heap.length) break
      const child = isBefore(heap[left + 1], heap[left]) ? left + 1 : left
      if (!isBefore(heap[child], last)) break
      heap[index] = heap[child] as Entry
      index = child
    }
    heap[index] = last
  }
}

/** The system's own: the product has none. */
const nextTurn = (resolve: (value: void) => void): void => void setImmediate(resolve)

function isBefore(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined
  if (a.atMs !== b.atMs) return a.atMs < b.atMs
  return a.phase !== b.phase ? a.phase < b.phase : a.seq < b.seq
}
