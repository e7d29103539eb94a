/** The rows that a decision writes. They are plain data, so the authority's core needs no database. */
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import type { AuditRow } from '../../shared/database/audit-chain.ts'
import type { Configured, ConfiguredReplica } from '../../shared/database/configured.ts'
import type { Forgotten } from '../../shared/database/forgotten.ts'
import type { Epoch, Kid, Nonce, Txid } from '../../shared/ids.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'
import type { KnownRevocation, OrgRevocation, SubjectRevocation } from '../../shared/verifier/revocation-row.ts'

export interface OrgRow {
  readonly name: string
  readonly state: 'active' | 'disabled'
  readonly createdMs: number
}

export interface RootKeyRow {
  readonly kid: Kid
  readonly org: string
  readonly generation: number
  readonly state: 'active' | 'retired'
  readonly sealedSecret: Uint8Array
  readonly createdMs: number
}

export interface IssuedRow {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly subject: string
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
}

export interface RevocationLogRow {
  readonly revocation: KnownRevocation
  /** The org it applies in; for a token, the org of its key. */
  readonly org: string
  readonly atMs: number
  readonly actor: string
  readonly reason: string
}

/** The stored answer to a request id. */
export interface RequestRow {
  readonly seq: number
  readonly id: string
  /** SHA-256 of the request, hex. */
  readonly digest: string
  /** JSON. */
  readonly answer: string
  /** The transaction that carried the request out. */
  readonly epoch: Epoch
  readonly txid: Txid
  readonly atMs: number
}

export interface ThirdPartyRow {
  readonly name: string
  readonly publicKey: Uint8Array
  readonly sealedPrivateKey: Uint8Array
  readonly unrevoked: boolean
  readonly createdMs: number
}

export interface ServiceTokenRow {
  readonly kid: Kid
  readonly nonce: Nonce
  readonly ancestors: readonly TokenReference[]
  /** Location of the third-party caveat that was removed. */
  readonly stripped: string
  readonly atMs: number
}

/** A cut-off that was requested while the clock was in doubt, to be appended again (due-cut-offs.ts). */
export interface DueCutOffRow {
  readonly seq: number
  /** `untilMs` is `TIME_OF_REQUEST` (0) for the time of the request. */
  readonly cutOff: DueCutOff
  /** Time of the request, by the authority's time. */
  readonly atMs: number
  /** `steadyMs` at the request. Not stored in the database: another process counts from another zero. */
  readonly steadyMs: number | undefined
  readonly actor: string
  readonly reason: string
}

/** Number of denials adopted from a replica in an epoch so far. */
export interface AdoptionsRow {
  readonly peerId: string
  readonly epoch: Epoch
  readonly revocations: number
}

export interface ForgottenRow extends Forgotten {
  readonly atMs: number
  readonly actor: string
  readonly reason: string
}

export type DueCutOff = Omit<OrgRevocation, 'seq' | 'expiresAt'> | Omit<SubjectRevocation, 'seq' | 'expiresAt'>

export interface ArchiveChainRow extends ArchiveChain {
  readonly place: number
}

export type Row =
  | { readonly table: 'orgs'; readonly row: OrgRow }
  | { readonly table: 'root_keys'; readonly row: RootKeyRow }
  | { readonly table: 'root_keys retired'; readonly row: Pick<RootKeyRow, 'kid'> }
  | { readonly table: 'root_keys resealed'; readonly row: Pick<RootKeyRow, 'kid' | 'sealedSecret'> }
  | { readonly table: 'orgs disabled'; readonly row: Pick<OrgRow, 'name'> }
  | {
      readonly table: 'signing_keys resealed'
      readonly row: { readonly id: number; readonly sealedPrivateKey: Uint8Array }
    }
  | { readonly table: 'issued'; readonly row: IssuedRow }
  | { readonly table: 'revocations'; readonly row: RevocationLogRow }
  /** From the first number to the last, both included. */
  | { readonly table: 'revocations purged'; readonly row: { readonly first: number; readonly last: number } }
  | { readonly table: 'third_parties'; readonly row: ThirdPartyRow }
  | { readonly table: 'third_parties resealed'; readonly row: Pick<ThirdPartyRow, 'name' | 'sealedPrivateKey'> }
  | { readonly table: 'third_parties removed'; readonly row: Pick<ThirdPartyRow, 'name'> }
  | { readonly table: 'service_tokens'; readonly row: ServiceTokenRow }
  | { readonly table: 'requests'; readonly row: RequestRow }
  /** Removes this row and all before it. */
  | { readonly table: 'requests removed'; readonly row: Pick<RequestRow, 'seq'> }
  | { readonly table: 'configured_replicas'; readonly row: ConfiguredReplica }
  | { readonly table: 'configured_replicas removed'; readonly row: Readonly<Record<never, never>> }
  | { readonly table: 'meta configured'; readonly row: Pick<Configured, 'durability' | 'degraded'> }
  | { readonly table: 'archive_chains'; readonly row: ArchiveChainRow }
  | { readonly table: 'due_cut_offs'; readonly row: DueCutOffRow }
  | { readonly table: 'due_cut_offs removed'; readonly row: Pick<DueCutOffRow, 'seq'> }
  | { readonly table: 'adoptions'; readonly row: AdoptionsRow }
  | { readonly table: 'forgotten'; readonly row: ForgottenRow }
  | { readonly table: 'audit'; readonly row: AuditRow }
