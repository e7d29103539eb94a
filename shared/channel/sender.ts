/** Sends messages in order, as fast as the connection takes them, so that the backlog limit is never reached. */
import type { Connection } from './connection.ts'

/** Used by both sides of RPC. While `congested`, the server reads no further requests. */
export class Sender {
  readonly #connection: Connection
  readonly #queue: Uint8Array[] = []
  #sending: Promise<void> | undefined
  #mayWrite = true

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get congested(): boolean {
    return !this.#mayWrite
  }

  /** Queues a message. The queue has no limit of its own; callers limit their calls in flight. */
  push(message: Uint8Array): void {
    if (this.#mayWrite) {
      this.#mayWrite = this.#connection.write(message)
    } else {
      this.#queue.push(message)
    }
    if (!this.#mayWrite) this.#sending ??= this.#flush()
  }

  /** Resolves when every pushed message was written, or the connection is gone. */
  async flushed(): Promise<void> {
    await this.#sending
  }

  async #flush(): Promise<void> {
    try {
      await this.#connection.drained()
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (!this.#connection.write(next)) await this.#connection.drained()
      }
      this.#mayWrite = true
    } catch {
      // The connection ended; its `closed` has the reason.
      this.#queue.length = 0
    } finally {
      this.#sending = undefined
    }
  }
}
