/** The root keys that a node verifies by. */
import type { Kid } from '../ids.ts'

export interface KeyEntry {
  /** Every token of this key is for this org, as if a caveat said so. */
  readonly org: string
  /**
   * 32 bytes, secret. Kept for retired keys too: only an authentic token is told that its key is retired. Undefined where this
   * node cannot open it: then it says nothing of the tokens of this key.
   */
  readonly derivedKey: Uint8Array | undefined
  readonly state: 'active' | 'retired'
  readonly orgState: 'active' | 'disabled'
}

/** Replaced as a whole, so that no verdict sees half of a change. */
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
