/**
 * What this replica goes on refusing by although its history was undone (S3). Before a snapshot of another history takes the
 * place of the pages, their revocations are kept here; they leave once durable pages hold them, or cover them, or when nothing
 * that they name can live any more, or when an operator gave them up (`revocations forget`).
 *
 * In memory there is only an index of what the file denies; rows are read from the file, a part at a time.
 */
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { turn, type Entropy, type Timers } from '../../shared/clock.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation, RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { DenialsReader, DenialsWriter, type ReadDenial } from './file.ts'
import { Numbers } from './numbers.ts'

export interface DenialsOptions {
  readonly path: string
  readonly entropy: Pick<Entropy, 'bytes'>
  readonly timers: Pick<Timers, 'soon'>
}

/** Rows that are looked at before everything else has its turn. */
const ROWS_A_TURN = 250

export class Denials {
  readonly #options: DenialsOptions
  #index: Revocations
  #size = 0
  /** Counts the files that there were: what one reader said of places holds for one file only. */
  #generation = 0

  /** Throws log_corrupt for a file that is not what was written: nothing of it is changed. */
  constructor(options: DenialsOptions) {
    this.#options = options
    this.#index = this.#newIndex()
    // What a crash left beside it.
    rmSync(`${options.path}.tmp`, { force: true })
    for (const { row } of this.#rows()) {
      this.#take(row)
      this.#size += 1
    }
  }

  /** Rows in the file. */
  get size(): number {
    return this.#size
  }

  get generation(): number {
    return this.#generation
  }

  /** Every row as a revocation. */
  *all(): Generator<RevocationRow> {
    for (const { row } of this.#rows()) yield row
  }

  /** Every row with its place. */
  *told(): Generator<Denial> {
    for (const { denial } of this.#rows()) yield denial
  }

  /** Whether a row here denies what this one does. */
  has(row: KnownRevocation): boolean {
    return this.#index.covers(row)
  }

  /** Rows from a place in the file on, no more than is asked for, and the next place; undefined at the end. */
  page(
    at: number | undefined,
    { rows, bytes }: { readonly rows: number; readonly bytes: number },
  ): { readonly denials: readonly Denial[]; readonly next: number | undefined } {
    const denials: Denial[] = []
    let [first, place] = [at ?? 0, at]
    for (const { denial, next } of this.#from(at)) {
      if (denials.length === rows || next - first > bytes) return { denials, next: place }
      denials.push(denial)
      if (first === 0) first = next
      place = next
    }
    return { denials, next: undefined }
  }

  /**
   * Adds what is not here yet, by history and number, durably; returns how much that was. Throws disk_full, io_failed,
   * sync_failed and request_invalid; then nothing was added.
   */
  async keep(batches: AsyncIterable<readonly Denial[]>): Promise<number> {
    return this.#rewrite(async (writer) => {
      const numbers = new Map<string, Numbers>()
      await this.#inTurns(({ denial }) => {
        addNumber(numbers, denial)
        writer.add(denial)
      })
      for await (const batch of batches) {
        for (const denial of batch.filter((one) => addNumber(numbers, one))) {
          writer.add(denial)
          this.#take(rowOfDenial(denial))
        }
        await turn(this.#options.timers)
      }
      return writer.rows - this.#size
    })
  }

  /** How many rows are so. */
  async count(is: (denial: Denial, row: RevocationRow) => boolean): Promise<number> {
    let count = 0
    await this.#inTurns(({ denial, row }) => (count += Number(is(denial, row))))
    return count
  }

  /** Lets go of the rows that need not be kept any more, durably; returns how many those were. Throws as `keep`. */
  async release(isOver: (denial: Denial, row: RevocationRow) => boolean): Promise<number> {
    return this.#rewrite(async (writer) => {
      await this.#inTurns(({ denial, row }) => {
        if (!isOver(denial, row)) writer.add(denial)
      })
      return this.#size - writer.rows
    })
  }

  /** Resolves with what `write` says has changed; where that is nothing, the old file stays. */
  async #rewrite(write: (writer: DenialsWriter) => Promise<number>): Promise<number> {
    const writer = new DenialsWriter(this.#options.path)
    try {
      const changed = await write(writer)
      if (changed > 0 && writer.rows > 0) await writer.finish()
      else writer.abandon()
      if (changed > 0 && writer.rows === 0) this.#remove()
      if (changed > 0) await this.#read()
      return changed
    } catch (error) {
      writer.abandon()
      await this.#read()
      throw storageError(error, 'keeping revocations of an undone history')
    }
  }

  #remove(): void {
    rmSync(this.#options.path, { force: true })
    syncDirectory(dirname(this.#options.path))
  }

  /** Anew, from the file as it is now. */
  async #read(): Promise<void> {
    this.#generation += 1
    const index = this.#newIndex()
    let size = 0
    await this.#inTurns(({ row }) => {
      size += 1
      if (row.kind !== 'unknown') index.take(row)
    })
    this.#index = index
    this.#size = size
  }

  async #inTurns(each: (read: Read) => unknown): Promise<void> {
    let count = 0
    for (const read of this.#rows()) {
      each(read)
      count += 1
      if (count % ROWS_A_TURN === 0) await turn(this.#options.timers)
    }
  }

  *#rows(): Generator<Read> {
    for (const { denial } of this.#from()) yield { denial, row: rowOfDenial(denial) }
  }

  *#from(at?: number): Generator<ReadDenial> {
    if (!existsSync(this.#options.path)) return
    const reader = new DenialsReader(this.#options.path, at)
    try {
      yield* reader.rows()
    } finally {
      reader.close()
    }
  }

  #take(row: RevocationRow): void {
    if (row.kind !== 'unknown') this.#index.take(row)
  }

  #newIndex(): Revocations {
    return new Revocations({ seed: this.#options.entropy.bytes(TABLE_SEED_BYTES) })
  }
}

interface Read {
  readonly denial: Denial
  readonly row: RevocationRow
}

/** False for one that was there. */
function addNumber(timelines: Map<string, Numbers>, { timeline, seq }: Denial): boolean {
  const numbers = timelines.get(timeline) ?? new Numbers()
  timelines.set(timeline, numbers)
  if (numbers.has(seq)) return false
  numbers.add(seq)
  return true
}
