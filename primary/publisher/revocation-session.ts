/**
 * One replica on the `revocations` channel. Like the `wal` session it pulls from the log at its own place; unlike it, it is
 * small and never waits behind pages.
 */
import type { Clock } from '../../shared/clock.ts'
import type { Connection } from '../../shared/channel/connection.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import type { ToldDenials } from '../../shared/protocol/denials.ts'
import { decodeMessage, encodeMessage } from '../../shared/protocol/message.ts'
import { fromStream, type FromStream, type Granted } from '../../shared/protocol/revocations.ts'
import { recordOf, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { REVOCATIONS_A_MESSAGE } from '../../shared/protocol/stretch.ts'
import { startAllowance, takePing, type PingAllowance } from '../../shared/freshness/ping-limit.ts'

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
  /** No worker behind the replica judges without the revocations up to this one. */
  readonly onCovered: (seq: number) => void
  /** It tells what it refuses by of undone histories. */
  readonly onDenials: (told: ToldDenials) => void
  /** The lease that answers a ping, recorded already. */
  readonly grant: (ping: Extract<FromStream, { t: 'ping' }>) => Granted
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** Some messages of revocations; what waits behind more is answered by the next ping. */
const BACKLOG_BYTES_MAX: number = 1024 * 1024

export class RevocationSession {
  readonly #options: RevocationSessionOptions
  #sent: number
  #acknowledged = 0
  #pings: PingAllowance
  #wake: (() => void) | undefined

  constructor(options: RevocationSessionOptions) {
    this.#options = options
    this.#sent = options.start
    this.#pings = startAllowance(options.clock.monotonicMs())
  }

  /** Ends, or throws, when the connection does. */
  async run(): Promise<void> {
    await Promise.race([this.#sendForever(), this.#readForever(), this.#options.connection.closed])
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
      const after = this.#sent
      const rows = source.after(after, REVOCATIONS_A_MESSAGE)
      // Where there are none, all that there was up to the last one was purged.
      this.#sent = rows.at(-1)?.seq ?? source.last()
      const message = { t: 'revoked', after, rows: rows.map(recordOf), through: this.#sent }
      await connection.send(encodeMessage(message))
    }
  }

  async #readForever(): Promise<void> {
    for await (const frame of this.#options.connection.messages()) this.#take(decodeMessage(frame, fromStream))
  }

  /** Nobody can have more than was sent, or answer for workers with what it does not have itself. */
  #take(message: FromStream): void {
    switch (message.t) {
      case 'ack':
        this.#acknowledged = Math.max(this.#acknowledged, Math.min(message.seq, this.#sent))
        return this.#options.onAck(this.#acknowledged)
      case 'covered':
        return this.#options.onCovered(Math.min(message.seq, this.#acknowledged))
      case 'ping':
        return this.#answer(message)
      case 'denials':
        return this.#options.onDenials(message)
    }
  }

  /** Written at once, without waiting: a lease that is late is shorter. A replica that does not read gets none. */
  #answer(ping: Extract<FromStream, { t: 'ping' }>): void {
    const { connection, grant, clock } = this.#options
    const pings = takePing(this.#pings, clock.monotonicMs())
    if (pings === undefined || connection.backlogBytes > BACKLOG_BYTES_MAX) return
    this.#pings = pings
    connection.write(encodeMessage(grant(ping)))
  }
}
