/** The calls that read revocations: a list in pages, and a search for the revocations that apply to one token or org. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { IssuedLog } from '../store/issued-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import { REVOCATIONS_FOUND_MAX } from '../../shared/limits.ts'
import { decodeIdentifier, type TokenReference } from '../../shared/macaroon/identifier.ts'
import { decodeTokenText } from '../../shared/macaroon/text.ts'
import { params } from '../../shared/protocol/params.ts'
import type { KnownRevocation } from '../../shared/verifier/revocation-row.ts'
import {
  type FindRevocationsParams,
  findRevocationsParams,
  type FindRevocationsResult,
  type RevocationDescription,
  revocationsParams,
  type RevocationsResult,
} from '../../shared/protocol/revoke.ts'
import { CutOffs } from '../../shared/verifier/cut-offs.ts'
import type { AuthorityState } from '../authority/state.ts'
import type { Lineage } from '../store/lineage.ts'
import type { RevocationListing } from '../store/revocation-listing.ts'
import type { Walker, Walks } from './walks.ts'
import { mayActFor, requireKeyOf, requireOrg } from './permissions.ts'

export interface RevocationsApiOptions {
  readonly state: () => AuthorityState
  readonly book: RevocationListing
  readonly issued: IssuedLog
  readonly lineage: Lineage
  readonly walks: Walks
}

/** A token or one of its ancestors. */
interface Target extends TokenReference {
  readonly org: string
  /** Undefined without a record of its mint. */
  readonly subject: string | undefined
}

type Matches = (row: KnownRevocation, org: string) => boolean

export class RevocationsApi {
  readonly #options: RevocationsApiOptions

  constructor(options: RevocationsApiOptions) {
    this.#options = options
  }

  /** One page of the log, oldest first, with only the orgs that the caller acts for. Throws permission_denied. */
  async list(peer: KnownPeer, value: unknown, walker: Walker): Promise<RevocationsResult> {
    const { org, after, limit } = params(revocationsParams, value)
    if (org !== undefined) requireOrg(peer, org)
    const visible = (name: string): boolean => (org === undefined || name === org) && mayActFor(peer, name)
    const { book, walks } = this.#options
    return walks.run(walker, (signal) => book.list({ after, limit, visible, signal }))
  }

  /**
   * The revocations that apply to a token, an id, an org or a subject, or the one with a number; at most
   * `REVOCATIONS_FOUND_MAX`. Throws permission_denied, key_unknown, request_invalid.
   */
  async find(peer: KnownPeer, value: unknown, walker: Walker): Promise<FindRevocationsResult> {
    const asked = params(findRevocationsParams, value)
    const { state } = this.#options
    const found = await this.#found(peer, asked, walker)
    const revocations = found.slice(0, REVOCATIONS_FOUND_MAX)
    return { revocations, more: found.length > revocations.length, epoch: state().epoch }
  }

  async #found(
    peer: KnownPeer,
    asked: FindRevocationsParams,
    walker: Walker,
  ): Promise<readonly RevocationDescription[]> {
    const { book, walks } = this.#options
    if (asked.seq !== undefined) return [this.#findBySeq(peer, asked.seq)]
    // One row more than the answer holds shows if there are more.
    const limit = REVOCATIONS_FOUND_MAX + 1
    return walks.run(walker, async (signal) => book.find({ limit, matches: this.#matches(peer, asked), signal }))
  }

  /** Throws request_invalid. The message is the same for a row of another org and for a missing row. */
  #findBySeq(peer: KnownPeer, seq: number): RevocationDescription {
    const row = this.#options.book.findBySeq(seq)
    if (row !== undefined && mayActFor(peer, row.org)) return row
    throw new MacaroondError(
      'request_invalid',
      `there is no revocation ${seq} in the orgs that ${peer.name} acts for`,
      {
        hint: '`macaroond revocations list` shows all',
      },
    )
  }

  #matches(peer: KnownPeer, { token, id, org, subject }: FindRevocationsParams): Matches {
    if (org !== undefined) {
      requireOrg(peer, org)
      return (row, of) => of === org && (subject === undefined || (row.kind === 'subject' && row.subject === subject))
    }
    const targets = token === undefined ? this.#byId(peer, id ?? '') : this.#byToken(peer, token)
    return (row) => targets.some((target) => appliesTo(row, target))
  }

  /** The token is not verified: it only selects rows, all of them in orgs that the caller acts for. */
  #byToken(peer: KnownPeer, text: string): readonly Target[] {
    const { kid, nonce, ancestors, subject } = decodeIdentifier(decodeTokenText(text).identifier)
    return [{ kid, nonce }, ...ancestors].map((name) => ({ ...name, subject, org: this.#orgOf(peer, name) }))
  }

  /** Reads the subject and the ancestors from the records of mints and exchanges, because an id contains neither. */
  #byId(peer: KnownPeer, id: string): readonly Target[] {
    const { issued, lineage } = this.#options
    const { kid, nonce } = parseTokenId(id)
    const org = this.#orgOf(peer, { kid, nonce })
    const subject = issued.find(kid, nonce)?.subject
    const own = { kid, nonce, org, subject }
    return [own, ...lineage.ancestorsOf(kid, nonce).map((name) => ({ ...name, subject, org: this.#orgOf(peer, name) }))]
  }

  #orgOf(peer: KnownPeer, { kid }: TokenReference): string {
    return requireKeyOf(peer, kid, this.#options.state().keys).org
  }
}

/** True if the revocation applies to the token. */
function appliesTo(row: KnownRevocation, { kid, nonce, org, subject }: Target): boolean {
  if (row.kind === 'token') return row.kid === kid && row.nonce === nonce
  if (row.org !== org) return false
  const alone = new CutOffs()
  alone.take(row)
  return alone.refusalOf({ kid, nonce }, org, subject) !== undefined
}
