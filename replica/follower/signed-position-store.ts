/** The newest position that the authority signed, kept over restarts: it is what makes an old primary stop. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { reportOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { comparePositions } from '../../shared/position.ts'
import {
  checkPosition,
  signedPosition,
  type ProvenPosition,
  type SignedPosition,
} from '../../shared/protocol/signed-position.ts'
import type { Standing } from './core.ts'

/** Written at most this often; in memory it is always the newest. */
const SAVE_MS = 1_000

export class SignedPositionStore {
  readonly #path: string
  readonly #log: Log
  #newest: SignedPosition | undefined
  #proven: ProvenPosition | undefined
  #saving: NodeJS.Timeout | undefined

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
    this.#newest = read(path)
  }

  get newest(): SignedPosition | undefined {
    return this.#newest
  }

  /** What the signature proves, or undefined when it is not the authority's. An older position is proven, but not kept. */
  take(signed: SignedPosition, publicKey: Uint8Array | undefined, cluster: string): Standing | undefined {
    if (publicKey === undefined) return undefined
    const proven = checkPosition(publicKey, cluster, signed)
    if (proven === undefined) return undefined
    if (this.#proven !== undefined && comparePositions(proven.position, this.#proven.position) < 0) return proven
    this.#newest = signed
    this.#proven = proven
    this.#saving ??= setTimeout(() => this.save(), SAVE_MS).unref()
    return proven
  }

  /** Never throws: the file before stays, which proves a little less, and the next position is a second away. */
  save(): void {
    clearTimeout(this.#saving)
    this.#saving = undefined
    if (this.#newest === undefined) return
    const temporary = `${this.#path}.tmp`
    try {
      writeFileSync(temporary, JSON.stringify(this.#newest), { mode: 0o600 })
      renameSync(temporary, this.#path)
    } catch (error) {
      this.#log.error({ error: reportOf(error) }, 'the newest signed position could not be written down')
    }
  }
}

/** A file that is missing or damaged is no proof, and nothing else. */
function read(path: string): SignedPosition | undefined {
  try {
    return signedPosition.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return undefined
  }
}
