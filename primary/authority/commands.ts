/** What can be asked of the authority, and what it answers. Positions are added when the answer is durable. */
import type { Kid, Nonce, TokenId } from '../../shared/ids.ts'

export interface Actor {
  /** Name from the configuration and PeerId, as the audit records it. */
  readonly text: string
}

export type Command =
  | { readonly kind: 'org.create'; readonly actor: Actor; readonly name: string }
  | {
      readonly kind: 'token.mint'
      readonly actor: Actor
      readonly org: string
      readonly subject: string
      readonly caveats: readonly string[]
      /** Seconds until the token expires; 0 for never. */
      readonly ttlSeconds: number
    }
  | {
      readonly kind: 'token.revoke'
      readonly actor: Actor
      readonly kid: Kid
      readonly nonce: Nonce
      /** Known from the token itself or from the record of its minting; 0 keeps the row for ever. */
      readonly expiresAt: number
      /** Whether the mint of this token is on record. */
      readonly recorded: boolean
      readonly reason: string
    }
  /** Writes nothing but an audit record: a replica claimed a position that is not in this authority's history. */
  | { readonly kind: 'replica.refused'; readonly actor: Actor; readonly message: string }
  /** Writes nothing but an audit record: what became of a restore drill, or a sign of life for the archive. */
  | {
      readonly kind: 'archive.note'
      readonly actor: Actor
      readonly action: 'archive.drill' | 'archive.heartbeat'
      readonly detail: Readonly<Record<string, string | number | boolean>>
    }

export interface Noted {
  readonly noted: true
}

export interface OrgCreated {
  readonly org: string
  readonly kid: Kid
}

export interface Minted {
  readonly token: string
  readonly id: TokenId
  readonly org: string
  readonly subject: string
  /** Unix milliseconds on the authority's monotone issue clock. */
  readonly issuedAtMs: number
  /** Unix seconds, 0 for never. */
  readonly expiresAt: number
}

export interface Revoked {
  readonly id: TokenId
  readonly org: string
  /** Place in the revocation log; replicas acknowledge up to such a number. */
  readonly seq: number
  /** "recorded": the mint is on record. "unrecorded": no record of it (any more); the id is revoked all the same. */
  readonly matched: 'recorded' | 'unrecorded'
}

export type Answer = Noted | OrgCreated | Minted | Revoked
