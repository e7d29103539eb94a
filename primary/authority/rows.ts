/** What a decision of the authority writes: plain rows, so that the core that decides needs no database. */
import type { Kid, Nonce } from '../../shared/ids.ts'
import type { TokenReference } from '../../shared/macaroon/identifier.ts'

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
  readonly seq: number
  readonly kind: 'token'
  readonly org: string
  readonly kid: Kid
  readonly nonce: Nonce
  readonly atMs: number
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
  readonly actor: string
  readonly reason: string
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

export interface AuditRow {
  readonly seq: number
  readonly atMs: number
  readonly actor: string
  readonly action: string
  readonly org: string
  readonly target: string
  readonly detail: string
  readonly hash: Uint8Array
}

export type Row =
  | { readonly table: 'orgs'; readonly row: OrgRow }
  | { readonly table: 'root_keys'; readonly row: RootKeyRow }
  | { readonly table: 'issued'; readonly row: IssuedRow }
  | { readonly table: 'revocations'; readonly row: RevocationLogRow }
  | { readonly table: 'third_parties'; readonly row: ThirdPartyRow }
  | { readonly table: 'third_parties removed'; readonly row: Pick<ThirdPartyRow, 'name'> }
  | { readonly table: 'service_tokens'; readonly row: ServiceTokenRow }
  | { readonly table: 'audit'; readonly row: AuditRow }
