/** What the authority knows when it decides: loaded from the database at start, changed by `step` alone. */
import type { Epoch, Kid, Timeline } from '../../shared/ids.ts'
import type { NonceState } from '../../shared/macaroon/nonce.ts'
import type { AuditHead } from './audit.ts'

export interface RootKey {
  readonly kid: Kid
  readonly org: string
  readonly generation: number
  readonly state: 'active' | 'retired'
  /** The unsealed root key after libmacaroons' derivation, 32 bytes; memory only. */
  readonly derivedKey: Uint8Array
}

export interface Org {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
  /** The generation that mints. */
  readonly activeKid: Kid
}

export interface AuthorityState {
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly orgs: Map<string, Org>
  readonly keys: Map<Kid, RootKey>
  /** The monotone issue clock: persisted, so that a token minted later never looks older, whatever the wall clock does. */
  issue: NonceState
  keyGeneration: number
  revocationSeq: number
  audit: AuditHead
}
