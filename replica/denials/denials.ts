/**
 * What this replica goes on refusing by although its history was undone (S3). Before a snapshot of another history takes the
 * place of the pages, their revocations are kept here; they leave once durable pages hold them, or cover them, or when nothing
 * that they name can live any more, or when an operator gave them up (`revocations forget`).
 *
 * In memory there is only an index of what the file denies; rows are read from the file, a part at a time.
 */
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { turn, type Entropy, type Timers } from '../../shared/clock.ts'
import { type Denial, rowOfDenial } from '../../shared/protocol/denials.ts'
import type { KnownRevocation, RevocationRow } from '../../shared/verifier/revocation-row.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import { TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../shared/verifier/revocations.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import { DenialsReader, DenialsWriter, type ReadDenial } from './file.ts'
import { Numbers } from '../../shared/numbers.ts'

export interface DenialsOptions {
  readonly path: string
  readonly entropy: Pick<Entropy, 'bytes'>
  readonly timers: Pick<Timers, 'soon'>
  /** Shown every row that is there at the start. */
  readonly onRow?: (row: RevocationRow) => void
}

/** Rows that are looked at before everything else has its turn. */
const ROWS_A_TURN = 250
/** Room is made for no fewer rows than a file can hold: a table that grows stops everything for a tenth of a second. */
const ROW_BYTES_MIN = 128

export class Denials {
  readonly #options: DenialsOptions
  #index: Revocations
  /** Of the file that is being written: it takes the place of the index with it. */
  #next: Revocations | undefined
  #size = 0
  /** Counts the files that there were: what one reader said of places holds for one file only. */
  #generation = 0

  /** Throws log_corrupt for a file that is not what was written: nothing of it is changed. */
  constructor(options: DenialsOptions) {
    const { path, onRow } = options
    this.#options = options
    this.#index = this.#newIndex(existsSync(path) ? statSync(path).size / ROW_BYTES_MIN : 0)
    // What a crash left beside it.
    rmSync(`${path}.tmp`, { force: true })
    for (const { row } of this.#rows()) {
      take(this.#index, row)
      this.#size += 1
      onRow?.(row)
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

  /** Whether a row here denies what this one does, those with it that are being added. */
  has(row: KnownRevocation): boolean {
    return (this.#next ?? this.#index).covers(row)
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
   * Adds what is not here yet, by history and number, durably; returns how much that was. `expected`: about how many rows there
   * are. Throws disk_full, io_failed, sync_failed and request_invalid; then nothing was added.
   */
  async keep(batches: AsyncIterable<readonly Denial[]>, expected: number = 0): Promise<number> {
    return this.#rewrite(this.#size + expected, async (add) => {
      const numbers = new Map<string, Numbers>()
      await this.#inTurns(({ denial, row }) => {
        addNumber(numbers, denial)
        add(denial, row)
      })
      let added = 0
      for await (const batch of batches) {
        for (const denial of batch.filter((one) => addNumber(numbers, one))) {
          add(denial, rowOfDenial(denial))
          added += 1
        }
        await turn(this.#options.timers)
      }
      return added
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
    return this.#rewrite(this.#size, async (add) => {
      let released = 0
      await this.#inTurns(({ denial, row }) => {
        if (isOver(denial, row)) released += 1
        else add(denial, row)
      })
      return released
    })
  }

  /** Resolves with what `write` says has changed; where that is nothing, the old file stays. */
  async #rewrite(
    expected: number,
    write: (add: (denial: Denial, row: RevocationRow) => void) => Promise<number>,
  ): Promise<number> {
    const writer = new DenialsWriter(this.#options.path)
    const index = this.#newIndex(expected)
    this.#next = index
    try {
      const changed = await write((denial, row) => {
        writer.add(denial)
        take(index, row)
      })
      if (changed > 0) await this.#replace(writer, index)
      return changed
    } catch (error) {
      throw storageError(error, 'keeping revocations of an undone history')
    } finally {
      writer.abandon()
      this.#next = undefined
    }
  }

  async #replace(writer: DenialsWriter, index: Revocations): Promise<void> {
    if (writer.rows > 0) await writer.finish()
    else this.#remove()
    this.#index = index
    this.#size = writer.rows
    this.#generation += 1
  }

  #remove(): void {
    rmSync(this.#options.path, { force: true })
    syncDirectory(dirname(this.#options.path))
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

  #newIndex(expected: number): Revocations {
    return new Revocations({ seed: this.#options.entropy.bytes(TABLE_SEED_BYTES), expected })
  }
}

/** What is not understood denies nothing that has a name. */
function take(index: Revocations, row: RevocationRow): void {
  if (row.kind !== 'unknown') index.take(row)
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
