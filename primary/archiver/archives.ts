/**
 * All the places that one history is archived to. The first is the archive: it shows who leads, and may be a witness. The
 * others are copies, each with a chain of its own that a restore can read. A failure of a copy delays nothing.
 */
import type { Txid } from '../../shared/ids.ts'
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import type { ArchiveRepairPlace } from '../../shared/protocol/archive-repair.ts'
import type { ArchiveStatus } from '../../shared/protocol/status.ts'
import type { Case } from '../../shared/service/alarm-board.ts'
import type { Command } from '../authority/commands.ts'
import type { ArchiveAlert } from './alerts.ts'
import type { Archiver } from './archiver.ts'
import type { JobName } from './state.ts'

type Chains = ReadonlyMap<number, ArchiveChain>

export class Archives {
  readonly #first: Archiver
  readonly #copies: readonly Archiver[]
  readonly #isDiskFull: () => boolean

  constructor(first: Archiver, copies: readonly Archiver[], isDiskFull: () => boolean) {
    this.#first = first
    this.#isDiskFull = isDiskFull
    this.#copies = copies
  }

  /** Resolves when this primary leads the first place, or could not reach it. Throws what `Archiver.start` throws. */
  async start(): Promise<void> {
    await this.#first.start()
    // The error of a copy is among its alerts.
    for (const copy of this.#copies) void copy.start().catch(() => undefined)
  }

  committed(txid: Txid): void {
    for (const archiver of this.#all) archiver.committed(txid)
  }

  /** Calls `resolve` once the first place has the transaction. The returned function stops waiting. */
  wait(txid: number, resolve: () => void): () => void {
    return this.#first.wait(txid, resolve)
  }

  /** True while the primary's disk is full. Jobs that need room on it wait. */
  get diskFull(): boolean {
    return this.#isDiskFull()
  }

  due(job: JobName): void {
    for (const archiver of this.#all) archiver.due(job)
  }

  /** The report of each place, in the order of the configuration. */
  repairReports(stored: Chains): readonly ArchiveRepairPlace[] {
    return this.#all.map((archiver, place) => archiver.repairReport(stored.get(place)))
  }

  repair(stored: Chains): void {
    for (const [place, archiver] of this.#all.entries()) archiver.repair(stored.get(place))
  }

  /** Repairs that no operator has seen, by location. */
  repaired(stored: Chains): readonly Case[] {
    return this.repairReports(stored).flatMap(({ location, repaired }) =>
      repaired === '' ? [] : [[location, repaired] as const],
    )
  }

  /** A command that records the chain of one place; undefined if the database is up to date for all places. */
  unrecordedChain(stored: Chains): Command | undefined {
    for (const [place, archiver] of this.#all.entries()) {
      const chain = archiver.unrecordedChain(stored.get(place))
      const { location } = archiver
      if (chain !== undefined) return { kind: 'archive.note', actor: { text: 'archiver' }, place, location, chain }
    }
    return undefined
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((archiver) => archiver.stop()))
  }

  /** The status of the first place, with the alerts of all. */
  status(): ArchiveStatus {
    const status = this.#first.status()
    const copies = this.#copies.map((copy) => copy.status())
    const theirs = copies.flatMap(({ location, alerts }) => alerts.map((alert) => `copy ${location}: ${alert}`))
    return { ...status, alerts: [...status.alerts, ...theirs], copies }
  }

  /** The text of an alarm for each location that has it. */
  alertsOf(code: ArchiveAlert['code']): readonly Case[] {
    return this.#all.flatMap(({ location, alerts }) => {
      const texts = alerts.filter((alert) => alert.code === code).map(({ text }) => text)
      return texts.length === 0 ? [] : [[location, texts.join('; ')] as const]
    })
  }

  get #all(): readonly Archiver[] {
    return [this.#first, ...this.#copies]
  }
}
