/**
 * One replica on the `revocations` channel. Like the `wal` session it pulls from the log at its own place; unlike it, it is
 * small and never waits behind pages.
 */
import type { Connection } from '../../shared/channel/connection.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import { REVOCATIONS_A_MESSAGE, revokedAck, type RevocationRow } from '../../shared/protocol/revocations.ts'

export interface RevocationSource {
  /** Number of the last committed revocation. */
  readonly last: () => number
  readonly after: (seq: number, limit: number) => readonly RevocationRow[]
}

export interface RevocationSessionOptions {
  readonly connection: Connection
  readonly source: RevocationSource
  /** The replica has everything from the start: what it had at hello counts as sent. */
  readonly start: number
  readonly onAck: (seq: number) => void
}

export class RevocationSession {
  readonly #options: RevocationSessionOptions
  #sent: number
  #wake: (() => void) | undefined

  constructor(options: RevocationSessionOptions) {
    this.#options = options
    this.#sent = options.start
  }

  /** Ends, or throws, when the connection does. */
  async run(): Promise<void> {
    await Promise.race([this.#sendForever(), this.#readAcknowledgements(), this.#options.connection.closed])
  }

  end(error: MacaroondError): void {
    this.#options.connection.abort(error)
  }

  /** A revocation was committed. */
  notify(): void {
    this.#wake?.()
  }

  async #sendForever(): Promise<void> {
    const { source, connection } = this.#options
    for (;;) {
      if (this.#sent >= source.last()) {
        await new Promise<void>((resolve) => (this.#wake = resolve))
        continue
      }
      const rows = source.after(this.#sent, REVOCATIONS_A_MESSAGE)
      this.#sent = rows.at(-1)?.seq ?? source.last()
      if (rows.length > 0) await connection.send(encodeMessage({ t: 'revoked', rows }))
    }
  }

  async #readAcknowledgements(): Promise<void> {
    for await (const frame of this.#options.connection.messages()) {
      const { seq } = decodeMessage(frame, revokedAck)
      this.#options.onAck(Math.min(seq, this.#sent))
    }
  }
}
