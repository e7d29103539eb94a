/**
 * The denials of a replica: revocations of undone histories, which it still enforces (S3). Before a snapshot of another history
 * replaces the pages, their revocations are written here. A denial is released in three cases: durable pages hold or cover it,
 * every token that it names has expired, or an operator gives it up (`revocations forget`).
 *
 * Memory holds only an index of the denials; the rows are read from the file, a part at a time.
 */
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { MacaroondError } from '../../shared/errors.ts'
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
  /** Called with every row that the file has at start. */
  readonly onRow?: (row: RevocationRow) => void
}

/** Rows processed before the event loop gets a turn. */
const ROWS_A_TURN = 250
/** Length of the shortest row, to estimate the number of rows in a file. Growing a table that is too small blocks for 0.1 s. */
const ROW_BYTES_MIN = 128

/** The denials in their file. Calls that rewrite the file must not overlap; the keeper runs them in turn. */
export class Denials {
  readonly #options: DenialsOptions
  #index: Revocations
  /** Index of the file that is being written. It replaces `#index` when the file is renamed. */
  #next: Revocations | undefined
  #size = 0
  /** Number of the file, raised by each rewrite: an offset is valid for one file only. */
  #generation = 0

  /** Throws log_corrupt for a damaged file, and does not change it. */
  constructor(options: DenialsOptions) {
    const { path, onRow } = options
    this.#options = options
    this.#index = this.#newIndex(existsSync(path) ? statSync(path).size / ROW_BYTES_MIN : 0)
    // A file that a crash left unfinished.
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

  /** Every row with its timeline, epoch and number. */
  *numbered(): Generator<Denial> {
    for (const { denial } of this.#rows()) yield denial
  }

  /** True if a denial covers this row. During a rewrite, the rows of the new file count. */
  covers(row: KnownRevocation): boolean {
    return (this.#next ?? this.#index).covers(row)
  }

  /**
   * Rows after an offset in the file, limited in number and bytes. `next` is the offset of the next page; undefined at the end.
   */
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
   * Adds rows durably. Skips a row whose timeline and number are in the file already. Returns the number added. `expected`
   * estimates the number of rows. `isAll`: the rows include everything that this replica enforces and no other file has, so
   * the rows after damage in the file are among them. Throws disk_full, io_failed, sync_failed and request_invalid, and
   * log_corrupt for a damaged file unless `isAll`; then nothing was added.
   */
  async keep(
    batches: AsyncIterable<readonly Denial[]>,
    { expected = 0, isAll = false }: { readonly expected?: number; readonly isAll?: boolean } = {},
  ): Promise<number> {
    return this.#rewrite(this.#size + expected, async (add) => {
      const numbers = new Map<string, Numbers>()
      const copied = this.#inTurns(({ denial, row }) => {
        addNumber(numbers, denial)
        add(denial, row)
      })
      const wasDamaged = await copied.then(
        () => false,
        (error: unknown) => {
          if (isAll && isDamaged(error)) return true
          throw error
        },
      )
      let added = 0
      for await (const batch of batches) {
        for (const denial of batch.filter((one) => addNumber(numbers, one))) {
          add(denial, rowOfDenial(denial))
          added += 1
        }
        await turn(this.#options.timers)
      }
      return { changes: added, mustReplace: wasDamaged }
    })
  }

  /** The number of rows for which `is` returns true. */
  async count(is: (denial: Denial, row: RevocationRow) => boolean): Promise<number> {
    let count = 0
    await this.#inTurns(({ denial, row }) => (count += Number(is(denial, row))))
    return count
  }

  /** Removes the rows for which `isOver` returns true, durably. Returns their number. Throws the errors of `keep`. */
  async release(isOver: (denial: Denial, row: RevocationRow) => boolean): Promise<number> {
    return this.#rewrite(this.#size, async (add) => {
      let released = 0
      await this.#inTurns(({ denial, row }) => {
        if (isOver(denial, row)) released += 1
        else add(denial, row)
      })
      return { changes: released, mustReplace: false }
    })
  }

  /** Writes a new file. If `write` makes no changes and need not replace the file, the old one stays. Returns the changes. */
  async #rewrite(
    expected: number,
    write: (add: (denial: Denial, row: RevocationRow) => void) => Promise<Written>,
  ): Promise<number> {
    const writer = new DenialsWriter(this.#options.path)
    const index = this.#newIndex(expected)
    this.#next = index
    try {
      const { changes, mustReplace } = await write((denial, row) => {
        writer.add(denial)
        take(index, row)
      })
      if (changes > 0 || mustReplace) await this.#replace(writer, index)
      return changes
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

/** Adds a row to the index. A row of an unknown kind names no token that could be looked up, so it is left out. */
function take(index: Revocations, row: RevocationRow): void {
  if (row.kind !== 'unknown') index.take(row)
}

interface Written {
  readonly changes: number
  readonly mustReplace: boolean
}

function isDamaged(error: unknown): boolean {
  return error instanceof MacaroondError && error.code === 'log_corrupt'
}

interface Read {
  readonly denial: Denial
  readonly row: RevocationRow
}

/** Adds the number of a row to those of its timeline. False if it was there already. */
function addNumber(timelines: Map<string, Numbers>, { timeline, seq }: Denial): boolean {
  const numbers = timelines.get(timeline) ?? new Numbers()
  timelines.set(timeline, numbers)
  if (numbers.has(seq)) return false
  numbers.add(seq)
  return true
}
