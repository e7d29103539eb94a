/**
 * Revocations that name more than one token: subjects and orgs up to a time of issue, retired keys, disabled orgs. They are
 * few, so they are kept in maps. Revocations of single tokens are in `revocation-table.ts`.
 */
import type { Kid, Nonce } from '../ids.ts'
import type { TokenReference } from '../macaroon/identifier.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import type { KnownRevocation, TokenRevocation } from './revocation-row.ts'
import type { TableRefusal } from './verdict.ts'

/** A revocation of more than one token. */
export type CutOff = Exclude<KnownRevocation, TokenRevocation>

/** By name: the time of issue up to which tokens are revoked, in unix milliseconds. Infinity for every time. */
type Reach = Map<string, number>

/** The cut-offs of one org. A revocation acts only inside its org. */
interface OrgCutOffs {
  /** Under `org`: all tokens up to a time. Under `org_disabled`: all tokens. */
  readonly whole: Reach
  readonly subjects: Reach
  readonly keys: Reach
}

export class CutOffs {
  readonly #orgs = new Map<string, OrgCutOffs>()
  #size = 0
  #latestMs = 0

  /** Number of cut-offs. At 0 a verification skips them. */
  get size(): number {
    return this.#size
  }

  /** The latest time of any cut-off so far. A new token must be issued later. */
  get latestMs(): number {
    return this.#latestMs
  }

  /** Why a cut-off refuses a token of this org; undefined if none does. Without a subject, cut-offs of subjects are skipped. */
  refusalOf({ kid, nonce }: TokenReference, org: string, subject: string | undefined): TableRefusal | undefined {
    const own = this.#orgs.get(org)
    if (own === undefined) return undefined
    if (own.whole.has('org_disabled')) return 'org_disabled'
    if (own.keys.has(kid)) return 'key_retired'
    const issuedMs = nonceTimeMs(nonce)
    if (issuedMs <= (own.whole.get('org') ?? -1)) return 'revoked'
    if (subject === undefined) return undefined
    return issuedMs <= (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined
  }

  /** The time up to which the cut-off in force of this kind and name reaches. Undefined if there is none. */
  reach(cutOff: CutOff): number | undefined {
    const own = this.#orgs.get(cutOff.org)
    return own === undefined ? undefined : mapOf(own, cutOff).get(nameOf(cutOff))
  }

  /** True if a cut-off of the same kind and name already reaches as far. */
  covers(cutOff: CutOff): boolean {
    return (this.reach(cutOff) ?? -1) >= wanted(cutOff)
  }

  /** Adds a cut-off. True if it revokes more than before. */
  take(cutOff: CutOff): boolean {
    if (this.covers(cutOff)) return false
    if ('untilMs' in cutOff) this.#latestMs = Math.max(this.#latestMs, cutOff.untilMs)
    this.reset(cutOff, wanted(cutOff))
    return true
  }

  /** The cut-offs in force, as rows. Their `seq` has no meaning. */
  *rows(): Generator<CutOff> {
    const common = { seq: 1, expiresAt: 0 }
    for (const [org, { whole, subjects, keys }] of this.#orgs) {
      const untilMs = whole.get('org')
      if (untilMs !== undefined) yield { ...common, kind: 'org', org, untilMs }
      if (whole.has('org_disabled')) yield { ...common, kind: 'org_disabled', org }
      for (const [subject, reach] of subjects) yield { ...common, kind: 'subject', org, subject, untilMs: reach }
      for (const kid of keys.keys()) yield { ...common, kind: 'key', org, kid }
    }
  }

  /** Sets the reach of a cut-off, for example to its earlier value when a transaction is undone. */
  reset(cutOff: CutOff, reach: number | undefined): void {
    const own = this.#orgs.get(cutOff.org) ?? { whole: new Map(), subjects: new Map(), keys: new Map() }
    this.#orgs.set(cutOff.org, own)
    const [map, name] = [mapOf(own, cutOff), nameOf(cutOff)]
    this.#size -= map.size
    if (reach === undefined) map.delete(name)
    else map.set(name, reach)
    this.#size += map.size
  }
}

/**
 * True if a cut-off of a broader kind in force already denies everything that this revocation names. `org` is the org of the
 * revocation, which a row for a token does not contain. A token that was exchanged from the named one is denied too, because
 * it is judged by the cut-offs of its ancestors.
 */
export function isCoveredByBroader(cutOffs: CutOffs, row: KnownRevocation, org: string): boolean {
  if (row.kind === 'token') {
    return cutOffs.refusalOf({ kid: row.kid as Kid, nonce: row.nonce as Nonce }, org, undefined) !== undefined
  }
  if (row.kind === 'org_disabled') return false
  const common = { org: row.org, seq: 0, expiresAt: 0 }
  if (cutOffs.reach({ ...common, kind: 'org_disabled' }) !== undefined) return true
  return row.kind === 'subject' && (cutOffs.reach({ ...common, kind: 'org', untilMs: 0 }) ?? -1) >= row.untilMs
}

function mapOf({ whole, subjects, keys }: OrgCutOffs, { kind }: CutOff): Reach {
  if (kind === 'subject') return subjects
  return kind === 'key' ? keys : whole
}

function nameOf(cutOff: CutOff): string {
  if (cutOff.kind === 'subject') return cutOff.subject
  return cutOff.kind === 'key' ? cutOff.kid : cutOff.kind
}

function wanted(cutOff: CutOff): number {
  return 'untilMs' in cutOff ? cutOff.untilMs : Infinity
}
