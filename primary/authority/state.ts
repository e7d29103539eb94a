/** What the authority knows when it decides: loaded from the database at start, changed by `step` alone. */
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
  /** As it is stored. */
  readonly sealed: Uint8Array
  /** The unsealed root key after libmacaroons' derivation, 32 bytes; memory only. */
  readonly derivedKey: Uint8Array
}

export interface Org {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
  /** The generation that mints; undefined once the last one was retired. */
  readonly activeKid: Kid | undefined
}

/** A service whose tickets this authority opens. */
export interface ThirdPartyKey {
  readonly name: string
  /** X25519, 32 bytes each. */
  readonly publicKey: Uint8Array
  /** As it is stored. */
  readonly sealed: Uint8Array
  /** Memory only. Undefined where it cannot be used: tickets of this service open no more. */
  readonly privateKey: Uint8Array | undefined
  /** Why it cannot be used. */
  readonly fault?: string
  /** The service has this authority's revocations: its discharges ask that the presented tokens still stand. */
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
  /** Oldest first; what the last one is sealed with, every secret is sealed with. */
  signingKeys: readonly StoredSigningKey[]
  /** What a token is judged by where another one is made of it, inside the transaction that makes it. */
  readonly revocations: Revocations
  /** Number of the newest revocation under each name that `noteNewest` gives it. */
  readonly newest: Map<string, number>
  /** Takes back what was added to `revocations` since the last commit, the last one first: to read all again takes seconds. */
  readonly undo: (() => void)[]
  /** How many revocations of undone histories were adopted from each replica in this epoch, by PeerId. */
  readonly adopted: Map<string, number>
  /** Revocations of undone histories that operators gave up. */
  readonly forgotten: ForgottenNumbers
  /** Epochs that there were, by timeline. */
  readonly epochs: ReadonlyMap<string, number>
  /** The last that a restore without revocations began; 0 for none. */
  readonly withoutRevocationsEpoch: number
  /** What was answered under the ids of requests, oldest first. */
  readonly requests: Map<string, RequestRow>
  /** To be appended again before anything is minted, oldest first, by `dueName`. */
  readonly dueCutOffs: Map<string, DueCutOffRow>
  dueSeq: number
  /** The monotone issue clock: persisted, so that a token minted later never looks older, whatever the wall clock does. */
  issue: NonceState
  /** Of the last committed transaction. */
  txid: Txid
  requestSeq: number
  keyGeneration: number
  revocationSeq: number
  audit: AuditHead
  /** The longest lease of freshness that may be granted: a longer one is written down first. */
  leaseMsMax: number
  /** What the database remembers of the primary's configuration; undefined before it was written. */
  configured: Configured | undefined
  /** Where the manifests of archives are, as far as the database remembers. */
  readonly archiveChains: Map<number, ArchiveChain>
  settledEpoch: number
}

/** The authority's own view of a token's standing. */
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

/** By key or org: a revocation of one token does not say its org. Returns what takes it back. */
export function noteNewest(newest: Map<string, number>, row: KnownRevocation): () => void {
  const name = row.kind === 'token' ? row.kid : ofOrg(row.org)
  const before = newest.get(name)
  newest.set(name, row.seq)
  return () => void (before === undefined ? newest.delete(name) : newest.set(name, before))
}

/** The newest revocation in an org; undefined without any. Once it binds, every one of the org does. */
export function newestOf({ newest, keys }: Pick<AuthorityState, 'newest' | 'keys'>, org: string): number | undefined {
  const names = [ofOrg(org), ...[...keys.values()].filter((key) => key.org === org).map(({ kid }) => kid)]
  const numbers = names.flatMap((name) => newest.get(name) ?? [])
  return numbers.length === 0 ? undefined : Math.max(...numbers)
}

/** No kid has a space in it. */
function ofOrg(org: string): string {
  return `org ${org}`
}
