/**
 * The authority's state in memory: everything that a decision reads. It is loaded from the database at start, only `step`
 * changes it, and it is loaded again after a transaction that failed.
 */
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import type { AuditHead } from '../../shared/database/audit-chain.ts'
import type { StoredSigningKey } from '../../shared/database/signing-key.ts'
import type { Configured } from '../../shared/database/configured.ts'
import type { Epoch, Kid, Timeline, Txid } from '../../shared/ids.ts'
import type { ForgottenNumbers } from '../../shared/database/forgotten.ts'
import type { NonceState } from '../../shared/macaroon/nonce.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import type { KeyEntry } from '../../shared/verifier/key-table.ts'
import type { Revocations } from '../../shared/verifier/revocations.ts'
import type { TokenTables } from '../../shared/verifier/revocation-status.ts'
import type { DueCutOffRow, RequestRow } from './rows.ts'

export interface OrgKey {
  readonly kid: Kid
  readonly org: string
  readonly generation: number
  readonly state: 'active' | 'retired'
  /** Unix milliseconds. */
  readonly createdMs: number
  /** The sealed root key, as stored. */
  readonly sealed: Uint8Array
  /** The unsealed root key after libmacaroons' derivation, 32 bytes; memory only. */
  readonly derivedKey: Uint8Array
}

export interface Org {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
  /** The key that mints; undefined once the last one was retired. */
  readonly activeKid: Kid | undefined
}

/** A service whose tickets this authority opens. */
export interface ThirdPartyKey {
  readonly name: string
  /** X25519, 32 bytes each. */
  readonly publicKey: Uint8Array
  /** The sealed private key, as stored. */
  readonly sealed: Uint8Array
  /**
   * Memory only. Undefined if the sealed key does not open or does not fit the public key; then no ticket of this service
   * opens.
   */
  readonly privateKey: Uint8Array | undefined
  /** Why `privateKey` is undefined. */
  readonly fault?: string
  /** True if the service sees our revocations: its discharges require that the presented tokens are not revoked. */
  readonly unrevoked: boolean
  readonly createdMs: number
}

export interface AuthorityState {
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly orgs: Map<string, Org>
  readonly keys: Map<Kid, OrgKey>
  readonly thirdParties: Map<string, ThirdPartyKey>
  /** Oldest first. The KEK that seals the last one is in force for every secret. */
  signingKeys: readonly StoredSigningKey[]
  /** All revocations. A presented token is judged by them inside the transaction that makes another token from it. */
  readonly revocations: Revocations
  /** Number of the newest revocation of each key and org, by the names that `noteNewestSeq` makes. */
  readonly newestSeqs: Map<string, number>
  /**
   * Functions that undo the changes to `revocations` since the last commit, to be called last to first. They exist because
   * reading all rows again takes seconds.
   */
  readonly undo: (() => void)[]
  /** Number of denials adopted from each replica in this epoch, by PeerId. */
  readonly adopted: Map<string, number>
  /** Numbers of undone histories that operators have forgotten. */
  readonly forgotten: ForgottenNumbers
  /** Every epoch of this history, by timeline. */
  readonly epochs: ReadonlyMap<string, number>
  /** The newest epoch that began with a restore without revocations; 0 for none. */
  readonly withoutRevocationsEpoch: number
  /** Stored answers by request id, oldest first. */
  readonly requests: Map<string, RequestRow>
  /** Cut-offs to append again before anything is minted, oldest first, by `dueCutOffKey`. */
  readonly dueCutOffs: Map<string, DueCutOffRow>
  dueSeq: number
  /** The issue clock. It is persisted, so a later token never looks older, whatever the wall clock does. */
  issue: NonceState
  /** Number of the last committed transaction. */
  txid: Txid
  requestSeq: number
  keyGeneration: number
  revocationSeq: number
  audit: AuditHead
  /** The longest freshness lease that may be granted, milliseconds. It is raised on disk before a longer one is granted. */
  leaseMsMax: number
  /** The part of the configuration that the database records; undefined before the first record. */
  configured: Configured | undefined
  /** The newest recorded entry of each archive's chain, by place. */
  readonly archiveChains: Map<number, ArchiveChain>
  settledEpoch: number
}

/** The tables that the verifier reads, on the authority's own state. */
export function tablesOf(state: AuthorityState): TokenTables {
  return {
    key: (kid) => keyEntryOf(state, kid),
    revoked: (kid, nonce) => state.revocations.revoked(kid, nonce),
    cutOffs: state.revocations.cutOffs,
  }
}

function keyEntryOf({ keys, orgs }: AuthorityState, kid: Kid): KeyEntry | undefined {
  const key = keys.get(kid)
  if (key === undefined) return undefined
  const { org, derivedKey, state } = key
  return { org, derivedKey, state, orgState: orgs.get(org)?.state ?? 'disabled' }
}

/**
 * Notes a row's number as the newest of its kid or org: the revocation of one token names a kid and no org. Returns a function
 * that undoes this.
 */
export function noteNewestSeq(newestSeqs: Map<string, number>, row: KnownRevocation): () => void {
  const name = row.kind === 'token' ? row.kid : ofOrg(row.org)
  const before = newestSeqs.get(name)
  newestSeqs.set(name, row.seq)
  return () => void (before === undefined ? newestSeqs.delete(name) : newestSeqs.set(name, before))
}

/** Number of the newest revocation in an org; undefined if there is none. Once it binds, all revocations of the org bind. */
export function newestSeqOf(
  { newestSeqs, keys }: Pick<AuthorityState, 'newestSeqs' | 'keys'>,
  org: string,
): number | undefined {
  const names = [ofOrg(org), ...[...keys.values()].filter((key) => key.org === org).map(({ kid }) => kid)]
  const numbers = names.flatMap((name) => newestSeqs.get(name) ?? [])
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}

/** A kid has no space in it, so the two kinds of names never clash. */
function ofOrg(org: string): string {
  return `org ${org}`
}
