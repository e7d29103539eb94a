/** What can be asked of the authority, and what it answers. Positions are added when the answer is durable. */
import type { ArchiveChain } from '../../shared/database/archive-chains.ts'
import type { Configured } from '../../shared/database/configured.ts'
import type { Forgotten } from '../../shared/database/forgotten.ts'
import type { Kid, Nonce, TokenId } from '../../shared/ids.ts'
import type { Denial } from '../../shared/protocol/denials.ts'
import type { RevokeAnswer } from '../../shared/protocol/revoke.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'

export interface Actor {
  /** Name from the configuration and PeerId, as the audit records it. */
  readonly text: string
}

/** A request that may come again, because its answer was lost: it is carried out once. */
export interface RequestName {
  /** The caller's identity and the id that it chose. */
  readonly id: string
  /** SHA-256 of what is asked, hex. */
  readonly digest: string
}

interface Revoking {
  readonly actor: Actor
  readonly reason: string
  readonly request?: RequestName | undefined
}

/** Revokes more than one token. */
interface RevokingMany extends Revoking {
  readonly org: string
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
  /** A new root key, which mints from now on; tokens of the one before stay good. */
  | {
      readonly kind: 'key.rotate'
      readonly actor: Actor
      readonly org: string
      readonly request?: RequestName | undefined
    }
  | ({
      readonly kind: 'token.revoke'
      readonly kid: Kid
      readonly nonce: Nonce
      /** Known from the token itself or from the record of its minting; 0 keeps the row for ever. */
      readonly expiresAt: number
      /** Whether the mint of this token is on record: looked up when its turn has come. */
      readonly recorded: boolean
      /** The token itself was shown. */
      readonly proven?: boolean
    } & Revoking)
  | ({
      readonly kind: 'issued.revoke'
      /** Of this subject only. */
      readonly subject: string | undefined
      /** Issued up to then, unix milliseconds; undefined for up to now. */
      readonly untilMs: number | undefined
    } & RevokingMany)
  | ({
      readonly kind: 'key.retire'
      readonly kid: Kid
      /** Nobody named it: it is the one that no longer mints, and has to be that still when its turn comes. */
      readonly unnamed?: boolean
    } & RevokingMany)
  | ({ readonly kind: 'org.disable' } & RevokingMany)
  /** Takes over revocations of an undone history that replicas refuse by. */
  | {
      readonly kind: 'revocations.adopt'
      readonly actor: Actor
      readonly denials: readonly Denial[]
      /** When tokens of these end whose mints are on record, by id: looked up when its turn has come. */
      readonly expiries?: ReadonlyMap<TokenId, number>
      /** PeerId of the replica whose word is all there is: that is limited, in number and in kind. Undefined for an operator's. */
      readonly from: string | undefined
    }
  /** Gives such revocations up, by their numbers: the replicas let go of them. */
  | {
      readonly kind: 'revocations.forget'
      readonly actor: Actor
      readonly ranges: readonly Forgotten[]
      readonly reason: string
    }
  /** Deletes those of these rows that hit nothing any more; in the order of their numbers. */
  | {
      readonly kind: 'revocations.purge'
      readonly actor: Actor
      readonly rows: readonly RevocationRow[]
      /** What time it is at most, whatever the wall clock says: deleting is final. */
      readonly soberMs: number
    }
  /** Seals again what was sealed with an earlier key-encryption key, all in one transaction. */
  | { readonly kind: 'kek.rotate'; readonly actor: Actor }
  | {
      readonly kind: 'third-party.add'
      readonly actor: Actor
      readonly name: string
      /** Its discharges ask that the presented tokens still stand: for a service that has this authority's revocations. */
      readonly unrevoked: boolean
    }
  | { readonly kind: 'third-party.remove'; readonly actor: Actor; readonly name: string }
  | {
      readonly kind: 'token.discharge'
      readonly actor: Actor
      /** PeerId of whoever presents the tokens. */
      readonly presenter: string
      readonly ticket: Uint8Array
      /** Bundles in text, one or more. */
      readonly tokens: readonly string[]
    }
  | {
      readonly kind: 'token.exchange'
      readonly actor: Actor
      readonly presenter: string
      /** Token and discharges, in text. */
      readonly bundle: string
      /** Location of the third-party caveat to take off; no signature covers it. */
      readonly strip: string
      /** Id of the token that the login was put into. */
      readonly id: string
      /** The caveat id that it must have: the signature covers it. */
      readonly ticket: Uint8Array
      readonly ttlSeconds: number
      /** Longest life of a service token, at most `SERVICE_TTL_SECONDS_MAX`. */
      readonly ttlSecondsMax: number
    }
  /** Leases of freshness may be this long from now on. */
  | { readonly kind: 'lease.raise'; readonly actor: Actor; readonly leaseMs: number }
  /** Who may acknowledge revocations from now on, and what they must reach: written before the first that rests on it. */
  | { readonly kind: 'configuration.note'; readonly actor: Actor; readonly configured: Configured }
  /** Nobody follows an earlier epoch any more: revocations may be acknowledged. */
  | { readonly kind: 'epoch.settle'; readonly actor: Actor; readonly because: string }
  /** Writes nothing but an audit record: a replica claimed a position that is not in this authority's history. */
  | { readonly kind: 'replica.refused'; readonly actor: Actor; readonly message: string }
  /** Appends a cut-off again that was asked for while the clock was in doubt, up to the moment it was asked for. */
  | { readonly kind: 'cut-off.again'; readonly actor: Actor; readonly name: string }
  /** Remembers where the manifest of an archive is, and what of it was repaired. */
  | {
      readonly kind: 'archive.note'
      readonly actor: Actor
      readonly place: number
      readonly location: string
      readonly chain: ArchiveChain
    }
  /** Writes nothing but an audit record. */
  | {
      readonly kind: 'audit.note'
      readonly actor: Actor
      readonly action: NoteAction
      readonly detail: Readonly<Record<string, string | number | boolean>>
    }

/** The command of one kind. */
export type CommandOf<Kind extends Command['kind']> = Extract<Command, { readonly kind: Kind }>

/** A restore drill, a sign of life for the archive, and what this primary went through itself. */
export type NoteAction =
  | 'archive.drill'
  | 'archive.heartbeat'
  | 'clock.doubted'
  | 'clock.believed'
  | 'disk.full'
  | 'disk.free'
  | 'revocations.blocked'
  | 'revocations.taken'
  | 'primary.contradicted'

/** They revoke. */
export const REVOKING: ReadonlySet<Command['kind']> = new Set([
  'token.revoke',
  'issued.revoke',
  'key.retire',
  'org.disable',
  'cut-off.again',
  'revocations.adopt',
])

/**
 * Taken whatever the clock says, and from the reserve of the disk: whoever grants leases takes revocations (V8). The others
 * are what leases and acknowledgements wait for, and notes for the audit.
 */
export const PRESSING: ReadonlySet<Command['kind']> = new Set([
  ...REVOKING,
  'configuration.note',
  'archive.note',
  'lease.raise',
  'epoch.settle',
  'replica.refused',
  'audit.note',
])

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

export interface KeyRotated {
  readonly org: string
  readonly kid: Kid
  readonly generation: number
  readonly previous: Kid | null
}

export interface KekRotated {
  readonly kek: string
  readonly resealed: number
}

export interface Adopted {
  readonly adopted: number
  /** Number of the last revocation then. */
  readonly seq: number
}

export interface ForgottenAnswer {
  readonly ranges: number
}

export interface Purged {
  readonly purged: number
}

export interface ThirdPartyAdded {
  readonly name: string
  /** What goes into the location of its caveats. */
  readonly location: string
  /** X25519, hex: what it seals its tickets to. */
  readonly publicKey: string
  readonly unrevoked: boolean
}

export interface ThirdPartyRemoved {
  readonly name: string
}

export interface Discharged {
  /** In the text form, bound to nothing. */
  readonly discharge: string
  /** The org of the presented tokens, and the only one that the discharge is good for. */
  readonly tenant: string
  readonly presented: readonly TokenId[]
  /** Unix seconds. */
  readonly expiresAt: number
}

export interface Exchanged extends Minted {
  /** The tokens it was made from, the nearest first. */
  readonly ancestors: readonly TokenId[]
  readonly stripped: string
}

export type CommandAnswer =
  | Noted
  | OrgCreated
  | Minted
  | KeyRotated
  | RevokeAnswer
  | KekRotated
  | Purged
  | Adopted
  | ForgottenAnswer
  | ThirdPartyAdded
  | ThirdPartyRemoved
  | Discharged
  | Exchanged
