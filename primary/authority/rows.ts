/** What a decision of the authority writes: plain rows, so that the core that decides needs no database. */
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
  /** That it acts in: the org of the key, where it names a token. */
  readonly org: string
  readonly atMs: number
  readonly actor: string
  readonly reason: string
}

/** What was answered under the id of a request. */
export interface RequestRow {
  readonly seq: number
  readonly id: string
  /** SHA-256 of what was asked, hex. */
  readonly digest: string
  /** JSON. */
  readonly answer: string
  /** Transaction that it was carried out in. */
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
  /** Location of the third-party caveat that was taken off. */
  readonly stripped: string
  readonly atMs: number
}

/** A cut-off that was asked for while the clock was in doubt; what it did not reach then is appended later. */
export interface DueCutOffRow {
  readonly seq: number
  /** `untilMs` is 0 for the moment it was asked for. */
  readonly cutOff: DueCutOff
  /** When it was asked for, in the authority's time. */
  readonly atMs: number
  /** The same as `steadyMs` of that moment. Not in the database: it says nothing to a later process. */
  readonly steadyMs: number | undefined
  readonly actor: string
  readonly reason: string
}

/** How many were adopted from a replica in an epoch, this time and before. */
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
  /** From the first to the last number, both included. */
  | { readonly table: 'revocations purged'; readonly row: { readonly first: number; readonly last: number } }
  | { readonly table: 'third_parties'; readonly row: ThirdPartyRow }
  | { readonly table: 'third_parties resealed'; readonly row: Pick<ThirdPartyRow, 'name' | 'sealedPrivateKey'> }
  | { readonly table: 'third_parties removed'; readonly row: Pick<ThirdPartyRow, 'name'> }
  | { readonly table: 'service_tokens'; readonly row: ServiceTokenRow }
  | { readonly table: 'requests'; readonly row: RequestRow }
  /** That one and all before it. */
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
