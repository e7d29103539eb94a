/**
 * Keeps the newest position with the authority's signature, in memory and in a file. This replica shows it to every primary: an
 * older primary stops when it sees it (S10).
 */
import { readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CallOff, Timers } from '../../shared/clock.ts'
import { reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { comparePositions } from '../../shared/position.ts'
import {
  checkPosition,
  signedPosition,
  type ProvenPosition,
  type SignedPosition,
} from '../../shared/protocol/signed-position.ts'
import { syncDirectory } from '../../shared/files/positional-io.ts'
import type { AppliedState } from './core.ts'

/** Shortest interval between two writes of the file. The position in memory is always the newest. */
const SAVE_MS = 1_000

export class SignedPositionStore {
  readonly #path: string
  readonly #log: Log
  readonly #timers: Timers
  #newest: SignedPosition | undefined
  #proven: ProvenPosition | undefined
  #saving: CallOff | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, { log, timers }: { readonly log: Log; readonly timers: Timers }) {
    this.#path = path
    this.#log = log
    this.#timers = timers
    this.#newest = readSignedPosition(path)
  }

  get newest(): SignedPosition | undefined {
    return this.#newest
  }

  /** The position that the signature proves; undefined if it is not the authority's. An older position is not kept. */
  take(signed: SignedPosition, publicKey: Uint8Array | undefined, cluster: string): AppliedState | undefined {
    if (publicKey === undefined) return undefined
    if (this.#proven !== undefined && signed.signature === this.#newest?.signature) return this.#proven
    const proven = checkPosition(publicKey, cluster, signed)
    if (proven === undefined) return undefined
    // The position from the file can be checked only once the public key is known.
    if (this.#newest !== undefined) this.#proven ??= checkPosition(publicKey, cluster, this.#newest)
    if (this.#proven !== undefined && comparePositions(proven.position, this.#proven.position) < 0) return proven
    this.#newest = signed
    this.#proven = proven
    this.#saving ??= this.#timers.after(SAVE_MS, () => void this.save(), { background: true })
    return proven
  }

  /** Writes the file. Never rejects: after a failure the old file stays, and the next position is written a second later. */
  async save(): Promise<void> {
    this.#saving?.()
    this.#saving = undefined
    if (this.#newest === undefined) return
    this.#writing = this.#writing.then(() => this.#write(JSON.stringify(this.#newest)))
    await this.#writing
  }

  /** Syncs the file before the rename, because a power cut could otherwise leave an empty file. */
  async #write(text: string): Promise<void> {
    const temporary = `${this.#path}.tmp`
    try {
      await using file = await open(temporary, 'w', 0o600)
      await file.writeFile(text)
      await file.datasync()
      await rename(temporary, this.#path)
      syncDirectory(dirname(this.#path))
    } catch (error) {
      this.#log.error({ error: reportOf(error) }, 'the newest signed position could not be written')
    }
  }
}

/** The position in the file; undefined if it is missing or damaged, which means only that there is no proof. */
export function readSignedPosition(path: string): SignedPosition | undefined {
  try {
    return signedPosition.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}
