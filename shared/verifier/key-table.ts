/** The table of root keys by which a node verifies. */
import type { Kid } from '../ids.ts'

export interface KeyEntry {
  /** Every token of this key is good for this org only. */
  readonly org: string
  /**
   * 32 bytes, secret. Retired keys are kept as well, because only an authentic token may learn that its key is retired.
   * Undefined if this node cannot unseal the key; verdicts on its tokens are then `unavailable`.
   */
  readonly derivedKey: Uint8Array | undefined
  readonly state: 'active' | 'retired'
  readonly orgState: 'active' | 'disabled'
}

/** The table is replaced as a whole, so no verification sees half of a change. */
export class KeyTable {
  #entries: ReadonlyMap<Kid, KeyEntry>

  constructor(entries: Iterable<readonly [Kid, KeyEntry]> = []) {
    this.#entries = new Map(entries)
  }

  get size(): number {
    return this.#entries.size
  }

  get(kid: Kid): KeyEntry | undefined {
    return this.#entries.get(kid)
  }

  replace(entries: Iterable<readonly [Kid, KeyEntry]>): void {
    this.#entries = new Map(entries)
  }
}
