/** Sends messages one after the other as fast as the connection takes them, so that the backlog cap is never reached. */
import type { Connection } from './connection.ts'

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

  /** How many are bounded is the caller's affair: calls in flight are. */
  push(message: Uint8Array): void {
    if (this.#mayWrite) {
      this.#mayWrite = this.#connection.write(message)
    } else {
      this.#queue.push(message)
    }
    if (!this.#mayWrite) this.#sending ??= this.#flush()
  }

  /** Resolves when everything pushed was written, or the connection is gone. */
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
      // The connection ended: nobody is left to send to, and its own error says why.
      this.#queue.length = 0
    } finally {
      this.#sending = undefined
    }
  }
}
