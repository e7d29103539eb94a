/**
 * A queue for one producer and one consumer that reports when it is full. It refuses no item: the producer must stop by itself.
 */
import { assert } from '../errors.ts'

export interface QueueOptions {
  readonly bytesMax: number
  /** `onFull` is called once when the queue becomes full, `onRoom` once when it has room again. */
  readonly onFull?: () => void
  readonly onRoom?: () => void
}

/** Counted for each item besides its bytes, so that a million tiny items reach the limit too. */
const ITEM_OVERHEAD_BYTES = 64

type Waiter = (value: undefined) => void

/** Asserts that it has at most one waiting producer and one waiting consumer. */
export class BoundedQueue<T extends { readonly byteLength: number }> {
  readonly #options: QueueOptions
  #items: T[] = []
  #head = 0
  #bytes = 0
  #full = false
  #ended = false
  #error: Error | undefined
  #consumer: Waiter | undefined
  #producer: Waiter | undefined

  constructor(options: QueueOptions) {
    this.#options = options
  }

  get bytes(): number {
    return this.#bytes
  }

  get full(): boolean {
    return this.#full
  }

  push(item: T): void {
    if (this.#ended) return
    this.#items.push(item)
    this.#bytes += item.byteLength + ITEM_OVERHEAD_BYTES
    if (!this.#full && this.#bytes > this.#options.bytesMax) {
      this.#full = true
      this.#options.onFull?.()
    }
    this.#wakeTaker()
  }

  /** Ends the queue. Queued items are still handed out, then the error, if there is one. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#wakeTaker()
    this.#wakePusher()
  }

  /** Ends at once and drops the queued items. */
  discard(error?: Error): void {
    this.#items = []
    this.#head = 0
    this.#bytes = 0
    this.#ended = true
    this.#error ??= error
    this.#wakeTaker()
    this.#makeRoom()
  }

  /** Resolves when the queue has room, or has ended. */
  async whenRoom(): Promise<void> {
    while (this.#full && !this.#ended) {
      assert(this.#producer === undefined, 'a bounded queue has one producer')
      await new Promise<undefined>((resolve) => (this.#producer = resolve))
    }
  }

  /** Resolves with the next item, or undefined at the end. Throws the error that the queue was ended with. */
  async next(): Promise<T | undefined> {
    while (this.#head === this.#items.length) {
      if (this.#error !== undefined) throw this.#error
      if (this.#ended) return undefined
      assert(this.#consumer === undefined, 'a bounded queue has one consumer')
      await new Promise<undefined>((resolve) => (this.#consumer = resolve))
    }
    return this.#take()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (let item = await this.next(); item !== undefined; item = await this.next()) yield item
  }

  #take(): T | undefined {
    const item = this.#items[this.#head]
    this.#head += 1
    // The consumed front is cut off now and then, because a shift at each item would copy the rest each time.
    if (this.#head === this.#items.length || this.#head > 1024) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    this.#bytes -= (item?.byteLength ?? 0) + ITEM_OVERHEAD_BYTES
    // Room is reported when the queue is half full. One item below full would stop and start the socket at each item.
    if (this.#bytes <= this.#options.bytesMax / 2) this.#makeRoom()
    return item
  }

  #makeRoom(): void {
    if (!this.#full) return
    this.#full = false
    this.#options.onRoom?.()
    this.#wakePusher()
  }

  #wakeTaker(): void {
    const wake = this.#consumer
    this.#consumer = undefined
    wake?.(undefined)
  }

  #wakePusher(): void {
    const wake = this.#producer
    this.#producer = undefined
    wake?.(undefined)
  }
}
