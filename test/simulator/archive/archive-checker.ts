/**
 * Checks that the archive can restore every state that the primary acknowledged, with the checksum recorded at its commit. It runs
 * after every crash, on what is then on the disk, and at the end.
 */
import { cpSync, existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openSigned, type ArchiveSource } from '../../../ops/restore/source.ts'
import { rebuildDatabase, requireRecorded } from '../../../shared/archive/rebuild.ts'
import { planRestore, type RestorePlan } from '../../../shared/archive/restore-plan.ts'
import { verifyArchive } from '../../../shared/archive/verify-archive.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Txid } from '../../../shared/ids.ts'
import { parsePosition, positionText, type Position } from '../../../shared/position.ts'
import type { Random } from '../../chaos/random.ts'
import type { ArchivedFile } from '../../../shared/archive/layout.ts'
import { archiveIn, type ArchivePlan } from '../nodes/members.ts'

interface Recorded {
  readonly position: Position
  readonly atMs: number
  /** It was said to be in the archive. */
  readonly archived: boolean
}

export interface ArchiveCheckerOptions {
  readonly plan: ArchivePlan
  readonly publicKey: Uint8Array
  /** Scratch, of this run alone. */
  readonly folder: string
  readonly random: Random
  readonly nowMs: () => number
  readonly onProblem: (what: string) => void
  /** Done before anything else happens in the cluster. */
  readonly aside: (work: () => Promise<void>) => void
  /** Data folder of the primary that leads. */
  readonly data: () => string
}

/** Rebuilt at the end, besides the newest: each costs a few milliseconds. */
const REBUILT_MAX = 6
/** Of a window: clocks run at different rates, and a call takes a while to be committed. */
const WINDOW_PART = 0.8
const WINDOW_LESS_MS = 200

export class ArchiveChecker {
  readonly #options: ArchiveCheckerOptions
  readonly #recorded = new Map<Txid, Recorded>()
  /** Positions of earlier epochs are nobody's any more. */
  #epoch = 0

  constructor(options: ArchiveCheckerOptions) {
    this.#options = options
  }

  /**
   * Position text, as the answer to a write says it; `sinceMs`: when that was asked for. An answer may come long after the
   * commit, from which the archive counts: one that waits for leases, or for the archive itself.
   */
  acknowledged(text: string, { sinceMs, archived }: { readonly sinceMs: number; readonly archived: boolean }): void {
    const position = parsePosition(text)
    if (position.epoch < this.#epoch) return this.#acknowledgedLate(position, archived)
    const before = this.#recorded.get(position.txid)
    const atMs = Math.min(sinceMs, before?.atMs ?? sinceMs)
    this.#recorded.set(position.txid, { position, atMs, archived: archived || before?.archived === true })
  }

  /** An earlier primary still answers: what it calls archived is in the chain that everybody reads. */
  #acknowledgedLate(position: Position, archived: boolean): void {
    const { aside, data, folder } = this.#options
    if (!archived) return
    aside(async () => {
      await this.#naming('after a late answer', async () => {
        const files = (await this.open(copyOf(data(), join(folder, 'late'))))?.files ?? []
        const holds = ({ epoch, minTxid, maxTxid }: ArchivedFile): boolean =>
          epoch === position.epoch && minTxid <= position.txid && maxTxid >= position.txid
        if (!files.some(holds)) this.#broken(`${positionText(position)} was said to be archived by an earlier primary`)
      })
    })
  }

  get publicKey(): Uint8Array {
    return this.#options.publicKey
  }

  get newest(): Txid | undefined {
    return [...this.#recorded.keys()].toSorted((a, b) => b - a)[0]
  }

  /** A database of that epoch was restored from what the archive has: what came after that is nobody's history any more. */
  abandonAfter(txid: number, epoch: number): void {
    this.#epoch = epoch
    for (const other of this.#recorded.keys()) if (other > txid) this.#recorded.delete(other)
  }

  /** Undefined as long as nobody has written there. */
  async open(data: string): Promise<ArchiveSource | undefined> {
    if (!existsSync(archiveIn(data))) return undefined
    try {
      return await openSigned(archiveIn(data), this.#options.publicKey)
    } catch (error) {
      if (error instanceof MacaroondError && error.code === 'archive_unsigned') return undefined
      throw error
    }
  }

  /** What a crash left in a data folder. */
  async checkAfterCrash(data: string): Promise<void> {
    await this.#naming('after a crash', async () => {
      const source = await this.open(data)
      const head = source?.highest.txid ?? 0
      for (const { position, archived } of this.#recorded.values()) {
        if (archived && position.txid > head)
          this.#broken(`${positionText(position)} was said to be archived, and only ${head} is`)
      }
      if (source === undefined) return
      await this.#verify(source)
      if (source.files.length > 0) await this.#rebuild(source, planRestore(source.files, { kind: 'head' }, Infinity))
    })
  }

  /** Whether everything is there that was acknowledged; `data` is in use, but nobody moves meanwhile. */
  async hasAll(data: string): Promise<boolean> {
    return ((await this.open(data))?.head?.txid ?? 0) >= (this.newest ?? 0)
  }

  /** All of it, at the end. `exact`: no clock was moved that says how old a transaction is. */
  async checkAll(data: string, exact: boolean): Promise<void> {
    await this.#naming('at the end', async () => {
      const source = await this.open(data)
      if (source === undefined) return this.#broken('there is nothing')
      await this.#verify(source)
      const states = [...this.#recorded.values()].flatMap((one) => this.#planFor(source, one, exact))
      const chosen = new Set([
        ...Array.from({ length: REBUILT_MAX }, () => this.#options.random.pick(states)),
        states.at(-1),
      ])
      for (const state of chosen) if (state !== undefined) await this.#rebuild(source, state.plan, state.position)
    })
  }

  async #verify({ storage, files }: ArchiveSource): Promise<void> {
    const { bad } = await verifyArchive(storage, files, () => undefined)
    for (const { problem } of bad) this.#broken(problem)
  }

  #planFor(
    { files }: ArchiveSource,
    recorded: Recorded,
    exact: boolean,
  ): readonly { readonly plan: RestorePlan; readonly position: Position }[] {
    const { position } = recorded
    try {
      return [{ plan: planRestore(files, { kind: 'txid', txid: position.txid }, Infinity), position }]
    } catch (error) {
      if (!(error instanceof MacaroondError) || error.code !== 'restore_target') throw error
      if (this.#mustBeThere(recorded, exact)) this.#broken(error.message)
      return []
    }
  }

  /** By itself: merged with others it is in any case. */
  #mustBeThere({ atMs }: Recorded, exact: boolean): boolean {
    const { plan, nowMs } = this.#options
    if (plan.bucket && plan.everyMs > 0) return false
    if (plan.windowMs === undefined) return true
    return exact && nowMs() - atMs < plan.windowMs * WINDOW_PART - WINDOW_LESS_MS
  }

  async #rebuild({ storage }: ArchiveSource, plan: RestorePlan, recorded?: Position): Promise<void> {
    const path = join(this.#options.folder, 'rebuilt.db')
    mkdirSync(this.#options.folder, { recursive: true })
    try {
      const { checksum } = await rebuildDatabase({ storage, files: plan.files, path })
      requireRecorded(plan, checksum)
      if (recorded !== undefined && recorded.checksum !== checksum)
        this.#broken(`restored, ${positionText(recorded)} is ${positionText({ ...recorded, checksum })}`)
    } finally {
      rmSync(path, { force: true })
    }
  }

  async #naming(when: string, look: () => Promise<void>): Promise<void> {
    try {
      await look()
    } catch (error) {
      if (!(error instanceof MacaroondError)) throw error
      this.#broken(`${when}: ${error.code}, ${error.message}`)
    }
  }

  #broken(what: string): void {
    this.#options.onProblem(`archive: ${what}`)
  }
}

/** A folder that is in use, as it is at this moment. */
export function copyOf(data: string, to: string): string {
  rmSync(to, { recursive: true, force: true })
  cpSync(realpathSync(archiveIn(data)), archiveIn(to), { recursive: true })
  return to
}
