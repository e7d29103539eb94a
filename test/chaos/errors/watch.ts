/** Polls a primary and its replica until a condition holds. */
import { setTimeout } from 'node:timers/promises'
import { parsePosition } from '../../../shared/position.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'
import type { Cluster, NodeFiles } from '../cluster.ts'
import type { Ledger } from '../ledger.ts'

export const SETTLE_MS = 20_000
export const POLL_MS = 25

export interface WatchOptions {
  readonly cluster: Cluster
  readonly replica: NodeFiles
  readonly ledger: Ledger
  /** What the load has met and should not have. */
  readonly failure: () => Error | undefined
}

export class Watch {
  readonly #options: WatchOptions

  constructor(options: WatchOptions) {
    this.#options = options
  }

  statuses(): Promise<[PrimaryStatus, ReplicaStatus]> {
    const { cluster, replica } = this.#options
    return Promise.all([cluster.primaryStatus(), cluster.replicaStatus(replica)])
  }

  throwIfFailed(): void {
    const failure = this.#options.failure()
    if (failure !== undefined) throw failure
  }

  async until(what: string, met: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + SETTLE_MS
    let last: unknown
    while (Date.now() < deadline) {
      this.throwIfFailed()
      try {
        if (await met()) return
      } catch (error) {
        last = error
      }
      await setTimeout(POLL_MS)
    }
    throw new Error(`not within ${SETTLE_MS} ms: ${what} (${String(last)})`)
  }

  /** A write that is acknowledged from now on is applied by the replica, which does not alarm. */
  async newWriteArrives(): Promise<void> {
    const { ledger } = this.#options
    const before = ledger.newest?.txid ?? 0
    await this.until('a new write is at the replica', async () => {
      const [ours, theirs] = await this.statuses()
      const { newest } = ledger
      if (theirs.alarm !== null) throw new Error(`the replica alarms: ${theirs.alarm}`)
      if (ours.writes !== 'open' || newest === undefined || newest.txid <= before || theirs.position === null)
        return false
      return parsePosition(theirs.position).txid >= newest.txid
    })
  }
}
