/**
 * The longest lease that this replica ever held, kept in a file across restarts. The replica granted no longer one to a worker,
 * so a lease from before the start ends within this time. The file is synced before the first lease of that length counts.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { MacaroondError } from '../../shared/errors.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import { storageError } from '../../shared/files/storage-errors.ts'

const content = z.strictObject({ leaseMs: z.number().nonnegative() })

export class LargestLease {
  readonly #path: string
  #leaseMs: number

  /** Throws io_failed, also for a damaged file: a guess could make the replica wait too short. */
  constructor(path: string) {
    this.#path = path
    this.#leaseMs = read(path)
  }

  get leaseMs(): number {
    return this.#leaseMs
  }

  /** Throws disk_full, io_failed; then the lease must not be used. */
  raise(leaseMs: number): void {
    if (leaseMs <= this.#leaseMs) return
    try {
      writeAtomically(this.#path, JSON.stringify({ leaseMs }))
    } catch (error) {
      throw storageError(error, 'writing the longest lease')
    }
    this.#leaseMs = leaseMs
  }
}

function read(path: string): number {
  let text
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw storageError(error, 'reading the longest lease')
  }
  try {
    return content.parse(JSON.parse(text)).leaseMs
  } catch (cause) {
    throw new MacaroondError('io_failed', `${path} is damaged`, {
      hint: 'stop this replica for longer than the longest lease of the cluster, then delete the file',
      cause,
    })
  }
}
