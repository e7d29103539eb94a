/**
 * Adopts denials that replicas report, if `judgeDenial` allows it without an operator. The others wait for an operator;
 * `status` and an alarm show them. This class judges all denials again after each report, and every few seconds, because the
 * issue clock advances and writes may open.
 */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { CallOff, Timers } from '../../shared/clock.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { UnsignedReader } from '../../shared/database/unsigned.ts'
import { reportOf } from '../../shared/errors.ts'
import { sqliteError } from '../../shared/files/storage-errors.ts'
import { ADOPTED_MAX, DENIALS_REPORTED_MAX } from '../../shared/limits.ts'
import type { Log } from '../../shared/log.ts'
import type { Denial, ReportedDenials } from '../../shared/protocol/denials.ts'
import type { WhyWaiting } from '../../shared/protocol/pending.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import { Paced } from '../../shared/service/paced.ts'
import type { Case } from '../../shared/service/alarm-board.ts'
import { judgeDenial } from '../authority/adopt.ts'
import type { Adopted } from '../authority/commands.ts'
import type { AuthorityState } from '../authority/state.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Database } from '../../shared/sqlite/open-database.ts'
import { type Report, Reports } from './reports.ts'

export interface PendingDenial {
  readonly denial: Denial
  /** Undefined for a kind that this version does not know. */
  readonly row: KnownRevocation | undefined
  readonly why: WhyWaiting
  /** PeerIds of the replicas that enforce it; `RESTORE` if a restore found it. */
  readonly from: readonly string[]
}

export interface AdoptionOptions {
  readonly state: () => AuthorityState
  readonly submit: GroupWriter['submit']
  /** True if the primary takes writes now. */
  readonly writesOpen: () => boolean
  /** Names of the configured replicas for the audit, by PeerId. */
  readonly replicas: () => ReadonlyMap<string, string>
  /** Revocations that a restore found without the authority's signature. */
  readonly unsigned: Pick<UnsignedReader, 'part' | 'next'>
  readonly clock: AdoptionClock
  readonly log: Log
}

type AdoptionClock = Pick<Timers, 'every' | 'after'>

/** Used instead of a PeerId for denials that a restore found. */
export const RESTORE = 'restore'
const REASSESS_MS = 5_000
/** Pause between two reassessments after reports. Each one judges all denials, and a replica may send any number of reports. */
const REPORT_PAUSE_MS = 250
/** The most denials in one command, so that it does not delay its group. */
const ROWS_A_COMMAND = 100

export interface AdoptionSources {
  readonly db: Database
  readonly writer: GroupWriter
  readonly writesOpen: () => boolean
  /** The replicas in the present configuration. */
  readonly replicas: () => readonly KnownPeer[]
  readonly clock: AdoptionClock
  readonly log: Log
}

export class Adoption {
  readonly #options: AdoptionOptions
  readonly #reports = new Reports()
  #waiting: readonly PendingDenial[] = []
  #adopting = false
  readonly #pacedReassess: Paced
  #callOff: CallOff | undefined

  constructor(options: AdoptionOptions) {
    this.#options = options
    this.#pacedReassess = new Paced(() => this.reassess(), REPORT_PAUSE_MS, options.clock)
  }

  start(): void {
    this.#callOff = this.#options.clock.every(REASSESS_MS, () => this.reassess(), { background: true })
    this.reassess()
  }

  close(): void {
    this.#callOff?.()
    this.#pacedReassess.close()
  }

  reported(replica: string, message: ReportedDenials): void {
    if (this.#reports.take(replica, message)) this.#pacedReassess.request()
  }

  /** Denials that an operator has to decide on, ordered by history and number. */
  get waiting(): readonly PendingDenial[] {
    return this.#waiting
  }

  /** Number of waiting denials by PeerId, including the ones that the replica has counted and not listed yet. */
  get counts(): ReadonlyMap<string, number> {
    const counts = new Map(this.#reports.all.map(({ from, unlisted }) => [from, unlisted]))
    const { remaining: unlisted } = this.#options.unsigned.part
    if (unlisted > 0) counts.set(RESTORE, unlisted)
    for (const { from } of this.#waiting) for (const one of from) counts.set(one, (counts.get(one) ?? 0) + 1)
    return counts
  }

  /** For the alarm: each replica's name and number of waiting denials. */
  get cases(): readonly Case[] {
    const names = this.#options.replicas()
    const waiting = [...this.counts].filter(([, count]) => count > 0)
    return waiting.map(([from, count]) => [names.get(from) ?? from, String(count)])
  }

  /** Judges all denials again, and adopts those that need no operator. Never throws, because timers call it. */
  reassess(): void {
    const { writesOpen, replicas } = this.#options
    this.#reports.keepOnly(new Set(replicas().keys()))
    this.#judge()
    if (writesOpen() && !this.#adopting) void this.#adopt()
  }

  /** The next unsigned revocations are read from the database. If that fails, the next assessment tries again. */
  #judge(): void {
    const { unsigned, log } = this.#options
    try {
      do this.#waiting = this.#judged()
      while (!this.#waiting.some(({ from }) => from.includes(RESTORE)) && unsigned.next())
    } catch (error) {
      const named = sqliteError(error, 'reading the unsigned revocations of a restore')
      log.error({ error: reportOf(named) }, 'could not judge revocations of an undone history; trying again')
    }
  }

  #judged(): readonly PendingDenial[] {
    const { state, unsigned } = this.#options
    const now = state()
    const waiting = new Map<string, PendingDenial>()
    const add = (report: Pick<Report, 'from' | 'denials'>): void => {
      for (const denial of report.denials) {
        const why = whyOf(now, denial, report.from)
        if (why === undefined) continue
        const name = nameOf(denial)
        const before = waiting.get(name)
        waiting.set(name, { denial, ...why, from: [...(before?.from ?? []), report.from] })
      }
    }
    for (const report of this.#reports.all) add(report)
    add({ from: RESTORE, denials: unsigned.part.denials })
    return [...waiting.values()].toSorted((a, b) => inOrder(a.denial, b.denial))
  }

  /** Adopts from one replica after the other, so that a denial that two replicas report is adopted once. */
  async #adopt(): Promise<void> {
    this.#adopting = true
    for (const { from, denials } of this.#reports.all) {
      try {
        await this.#adoptFrom(from, denials)
      } catch (error) {
        const what = 'could not adopt revocations of an undone history; trying again'
        this.#options.log.warn({ from, error: reportOf(error) }, what)
      }
    }
    this.#adopting = false
    this.#judge()
  }

  async #adoptFrom(from: string, denials: readonly Denial[]): Promise<void> {
    const { state, submit, replicas, writesOpen, log } = this.#options
    const isAdoptable = (one: Denial): boolean => judgeDenial(state(), one).is === 'adoptable'
    const adoptable = denials.filter(isAdoptable)
    for (let start = 0; start < adoptable.length && writesOpen(); start += ROWS_A_COMMAND) {
      if ((state().adopted.get(from) ?? 0) >= ADOPTED_MAX) return
      const batch = adoptable.slice(start, start + ROWS_A_COMMAND).filter(isAdoptable)
      if (batch.length === 0) continue
      const actor = { text: `replica ${replicas().get(from) ?? ''} ${from}` }
      const { answer } = await submit<Adopted>({ kind: 'revocations.adopt', actor, denials: batch, from })
      log.warn({ from, adopted: answer.adopted }, 'adopted revocations of an undone history that a replica enforces')
    }
  }
}

/** Undefined if no operator needs to decide. */
function whyOf(state: AuthorityState, denial: Denial, from: string): Pick<PendingDenial, 'row' | 'why'> | undefined {
  const judged = judgeDenial(state, denial)
  if (judged.is === 'resolved') return undefined
  if (from === RESTORE) return { row: judged.row, why: 'unsigned' }
  if (judged.is === 'waiting') return judged
  return (state.adopted.get(from) ?? 0) >= ADOPTED_MAX ? { row: judged.row, why: 'too many' } : undefined
}

/**
 * The name includes the tokens that the row denies, so that a replica that reports a wrong number hides no other replica's
 * denial.
 */
function nameOf({ timeline, seq, columns }: Denial): string {
  const { kind, key } = columns
  return JSON.stringify([timeline, seq, kind, key])
}

function inOrder(a: Denial, b: Denial): number {
  return a.epoch - b.epoch || (a.timeline < b.timeline ? -1 : Number(a.timeline > b.timeline)) || a.seq - b.seq
}

/** Builds the adoption from the node's parts. */
export function openAdoption({ db, writer, writesOpen, replicas, clock, log }: AdoptionSources): Adoption {
  return new Adoption({
    state: () => writer.state,
    submit: (command) => writer.submit(command),
    writesOpen,
    replicas: () => new Map(replicas().map(({ id, name }) => [id, name])),
    // Read once: only a restore writes this table.
    unsigned: new UnsignedReader(db, new MetaReader(db).read().schema, DENIALS_REPORTED_MAX),
    clock,
    log,
  })
}
