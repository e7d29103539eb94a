/** The newest position that the authority signed, kept over restarts: it is what makes an old primary stop. */
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

/** Written at most this often; in memory it is always the newest. */
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

  /** What the signature proves, or undefined when it is not the authority's. An older position is proven, but not kept. */
  take(signed: SignedPosition, publicKey: Uint8Array | undefined, cluster: string): AppliedState | undefined {
    if (publicKey === undefined) return undefined
    if (this.#proven !== undefined && signed.signature === this.#newest?.signature) return this.#proven
    const proven = checkPosition(publicKey, cluster, signed)
    if (proven === undefined) return undefined
    // What was read at start counts once the key that it is checked with is known.
    if (this.#newest !== undefined) this.#proven ??= checkPosition(publicKey, cluster, this.#newest)
    if (this.#proven !== undefined && comparePositions(proven.position, this.#proven.position) < 0) return proven
    this.#newest = signed
    this.#proven = proven
    this.#saving ??= this.#timers.after(SAVE_MS, () => void this.save(), { background: true })
    return proven
  }

  /** Never rejects: the file before stays, which proves a little less, and the next position is a second away. */
  async save(): Promise<void> {
    this.#saving?.()
    this.#saving = undefined
    if (this.#newest === undefined) return
    this.#writing = this.#writing.then(() => this.#write(JSON.stringify(this.#newest)))
    await this.#writing
  }

  /** Durable before it gets its name: an empty file after a power cut would prove nothing. */
  async #write(text: string): Promise<void> {
    const temporary = `${this.#path}.tmp`
    try {
      await using file = await open(temporary, 'w', 0o600)
      await file.writeFile(text)
      await file.datasync()
      await rename(temporary, this.#path)
      syncDirectory(dirname(this.#path))
    } catch (error) {
      this.#log.error({ error: reportOf(error) }, 'the newest signed position could not be written down')
    }
  }
}

/** A file that is missing or damaged is no proof, and nothing else. */
export function readSignedPosition(path: string): SignedPosition | undefined {
  try {
    return signedPosition.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}
