/**
 * The commands that the authority takes, and its answers. A command carries everything that its decision needs, so that the
 * core reads no database. The position is added to an answer once the transaction is durable.
 */
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

/** Makes a command idempotent: a repeated request with this name is answered from memory, and not carried out again. */
export interface RequestName {
  /** The caller's identity and the id that it chose. */
  readonly id: string
  /** SHA-256 of the request, hex: a different request under a known id is a conflict. */
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
  /** Makes a new root key, which mints from now on. Tokens of the previous key stay good. */
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
      /** Unix seconds, from the token itself or from the record of its mint; 0 keeps the row for ever. */
      readonly expiresAt: number
      /** True if the mint of this token is on record. Looked up just before the transaction. */
      readonly recorded: boolean
      /** True if the caller presented the token itself. */
      readonly proven?: boolean
    } & Revoking)
  | ({
      readonly kind: 'issued.revoke'
      /** Revokes tokens of this subject only; undefined for all of the org. */
      readonly subject: string | undefined
      /** Revokes what was issued up to this time, unix milliseconds; undefined for now. */
      readonly untilMs: number | undefined
    } & RevokingMany)
  | ({
      readonly kind: 'key.retire'
      readonly kid: Kid
      /** True if the caller named no key. Then `kid` must still be the only older key when the command runs. */
      readonly unnamed?: boolean
    } & RevokingMany)
  | ({ readonly kind: 'org.disable' } & RevokingMany)
  /** Adopts denials: writes revocations of an undone history into the present one. */
  | {
      readonly kind: 'revocations.adopt'
      readonly actor: Actor
      readonly denials: readonly Denial[]
      /** Expiries from the records of mints, unix seconds by token id. Looked up just before the transaction. */
      readonly expiries?: ReadonlyMap<TokenId, number>
      /**
       * PeerId of the replica that reported them: the primary limits which and how many it adopts from one. Undefined for an
       * operator.
       */
      readonly from: string | undefined
    }
  /** Forgets denials, by their numbers in the undone history. Replicas then stop enforcing them. */
  | {
      readonly kind: 'revocations.forget'
      readonly actor: Actor
      readonly ranges: readonly Forgotten[]
      readonly reason: string
    }
  /** Deletes the outlived rows among `rows`, which are in ascending order of their numbers. */
  | {
      readonly kind: 'revocations.purge'
      readonly actor: Actor
      readonly rows: readonly RevocationRow[]
      /**
       * The time of the deletion clock, which a jump of the wall clock does not move ahead. A purge uses the earlier of this
       * and the believed time.
       */
      readonly deletionClockMs: number
    }
  /** Reseals every secret that an earlier key-encryption key seals. The first configured key seals them, in one transaction. */
  | {
      readonly kind: 'kek.rotate'
      readonly actor: Actor
      /** Names of the replicas that have not reported this key-encryption key. It is asked when the command has its turn. */
      readonly replicasWithout: (kekId: string) => readonly string[]
    }
  | {
      readonly kind: 'third-party.add'
      readonly actor: Actor
      readonly name: string
      /** True if its discharges require that the presented tokens are not revoked. The service must see our revocations. */
      readonly unrevoked: boolean
    }
  | { readonly kind: 'third-party.remove'; readonly actor: Actor; readonly name: string }
  | {
      readonly kind: 'token.discharge'
      readonly actor: Actor
      /** PeerId of the holder that presents the tokens. */
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
      /** Location of the third-party caveat to remove. No signature covers a location. */
      readonly strip: string
      /** Id of the token that the login caveat was added to. */
      readonly id: string
      /** Caveat id that the stripped caveat must have. The signature covers it, unlike the location. */
      readonly ticket: Uint8Array
      readonly ttlSeconds: number
      /** Longest life of a service token, at most `SERVICE_TTL_SECONDS_MAX`. */
      readonly ttlSecondsMax: number
    }
  /** Allows freshness leases up to this length. Written before the first lease of that length is granted. */
  | { readonly kind: 'lease.raise'; readonly actor: Actor; readonly leaseMs: number }
  /** Records which replicas may acknowledge revocations, and the durability. Written before a revocation relies on it. */
  | { readonly kind: 'configuration.note'; readonly actor: Actor; readonly configured: Configured }
  /** Records that no replica follows an earlier epoch any more, so revocations may be acknowledged. */
  | { readonly kind: 'epoch.settle'; readonly actor: Actor; readonly because: string }
  /** Writes only an audit record: a replica claimed a position that is not in this authority's history. */
  | { readonly kind: 'replica.refused'; readonly actor: Actor; readonly message: string }
  /** Appends a due cut-off: one that was requested while the clock was in doubt. It reaches up to the time of that request. */
  | { readonly kind: 'cut-off.again'; readonly actor: Actor; readonly name: string }
  /** Records the newest entry of an archive's chain, and its last repair. */
  | {
      readonly kind: 'archive.note'
      readonly actor: Actor
      readonly place: number
      readonly location: string
      readonly chain: ArchiveChain
    }
  /** Writes only an audit record. */
  | {
      readonly kind: 'audit.note'
      readonly actor: Actor
      readonly action: NoteAction
      readonly detail: Readonly<Record<string, string | number | boolean>>
    }

/** The command of one kind. */
export type CommandOf<Kind extends Command['kind']> = Extract<Command, { readonly kind: Kind }>

/** Events of the primary itself, for the audit. */
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
  | 'configuration.reload'

/** Commands that write revocations. They wait in a queue of their own, ahead of the others. */
export const REVOKING: ReadonlySet<Command['kind']> = new Set([
  'token.revoke',
  'issued.revoke',
  'key.retire',
  'org.disable',
  'cut-off.again',
  'revocations.adopt',
])

/**
 * Commands that the primary takes while its clock is in doubt, and for which it may use the reserved disk space: a primary
 * that grants leases takes revocations (V8). They are the revocations, the writes that leases and acknowledgements wait for,
 * and audit notes.
 */
export const ESSENTIAL: ReadonlySet<Command['kind']> = new Set([
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
  /** Number of the newest revocation after the command. */
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
  /** The service writes this as the location of its caveats. */
  readonly location: string
  /** X25519, hex. The service seals its tickets to this key. */
  readonly publicKey: string
  readonly unrevoked: boolean
}

export interface ThirdPartyRemoved {
  readonly name: string
}

export interface Discharged {
  /** In text form, not yet bound to a token. */
  readonly discharge: string
  /** The org of the presented tokens. The discharge is good for this org only. */
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
