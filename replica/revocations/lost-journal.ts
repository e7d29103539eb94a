/**
 * Remembers that the revocation journal of this replica was lost. It may have had revocations that the replica acknowledged and
 * that no other place knows, so the replica proves nothing to a restore of that epoch (`head_unwitnessed`). The loss is over
 * once durable pages have every revocation of the primary, or the replica has joined a later epoch.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { z } from 'zod'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

const content = z.strictObject({ epoch: z.number().int().nonnegative() })

export interface LostJournalOptions {
  /** Path of the file that remembers the loss. */
  readonly path: string
  /** Path of the journal. It must not have been opened yet, because that creates it. */
  readonly journal: string
  /** The newest epoch that this replica has recorded; undefined for a new replica, which has lost nothing. */
  readonly recordedEpoch: number | undefined
}

export class LostJournal {
  readonly #path: string
  #epoch: number | undefined

  /** Throws disk_full, io_failed: a loss that is not recorded would be forgotten. */
  constructor({ path, journal, recordedEpoch }: LostJournalOptions) {
    this.#path = path
    this.#epoch = existsSync(path) ? read(path) : undefined
    if (recordedEpoch === undefined || existsSync(journal)) return
    this.#epoch = recordedEpoch
    try {
      writeAtomically(path, JSON.stringify({ epoch: recordedEpoch }))
    } catch (error) {
      throw storageError(error, 'recording that the revocation journal is lost')
    }
  }

  /** For an operator: the loss, if it matters while the pages are of this epoch. */
  textAt(epoch: number | undefined): string | undefined {
    if (this.#epoch === undefined || (epoch ?? 0) > this.#epoch) return undefined
    return `its revocation journal of epoch ${this.#epoch} was lost, and may have had revocations that it acknowledged`
  }

  /** To be called when durable pages have every revocation that the primary has. */
  caughtUp(): void {
    if (this.#epoch === undefined) return
    rmSync(this.#path, { force: true })
    this.#epoch = undefined
  }
}

/** A damaged file means a loss in any epoch. */
function read(path: string): number {
  try {
    return content.parse(JSON.parse(readFileSync(path, 'utf8'))).epoch
  } catch {
    return Infinity
  }
}
