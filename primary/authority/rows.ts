/** What a decision of the authority writes: plain rows, so that the core that decides needs no database. */
import type { Kid, Nonce } from '../../shared/ids.ts'

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
  | { readonly table: 'audit'; readonly row: AuditRow }
