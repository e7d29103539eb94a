/**
 * Serves one replica on the `revocations` channel: sends it the revocations that it does not have, takes its acknowledgements,
 * and answers its pings with freshness leases. The channel carries no pages, so a revocation never waits behind them.
 */
import type { Clock } from '../../shared/clock.ts'
import type { Connection } from '../../shared/channel/connection.ts'
import type { MacaroondError } from '../../shared/errors.ts'
import type { ReportedDenials } from '../../shared/protocol/denials.ts'
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
  /** Number of the newest revocation that the replica had at its hello. Sending starts after it. */
  readonly start: number
  readonly onAck: (seq: number) => void
  /** Called when the replica and its workers no longer judge without the revocations up to this one. */
  readonly onCovered: (seq: number) => void
  /** Called when the replica reports its denials. */
  readonly onDenials: (report: ReportedDenials) => void
  /** Records a lease and returns the answer to a ping. */
  readonly grant: (ping: Extract<FromStream, { t: 'ping' }>) => Granted
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** If more bytes than this wait to be sent, a ping is not answered, because its lease would arrive too late. */
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

  /** Resolves or rejects when the connection ends. */
  async run(): Promise<void> {
    await Promise.race([this.#sendForever(), this.#readForever(), this.#options.connection.closed])
  }

  end(error: MacaroondError): void {
    this.#options.connection.abort(error)
  }

  /** Called after a commit. */
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
      // No rows means that everything up to the newest number was purged.
      this.#sent = rows.at(-1)?.seq ?? source.last()
      const message = { t: 'revoked', after, rows: rows.map(recordOf), through: this.#sent }
      await connection.send(encodeMessage(message))
    }
  }

  async #readForever(): Promise<void> {
    for await (const frame of this.#options.connection.messages()) this.#take(decodeMessage(frame, fromStream))
  }

  /** Limits the replica's numbers: it cannot have more revocations than were sent, nor cover more than it has acknowledged. */
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

  /** Writes the answer at once, because a late lease is a shorter lease. A replica that does not read gets none. */
  #answer(ping: Extract<FromStream, { t: 'ping' }>): void {
    const { connection, grant, clock } = this.#options
    const pings = takePing(this.#pings, clock.monotonicMs())
    if (pings === undefined || connection.backlogBytes > BACKLOG_BYTES_MAX) return
    this.#pings = pings
    connection.write(encodeMessage(grant(ping)))
  }
}
