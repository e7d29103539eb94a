/**
 * Revocations that name more than one token: subjects and orgs up to a time, retired keys, disabled orgs. There are few of
 * them, so they stand in maps beside the table of single tokens, and are asked only where there are any.
 */
import type { Kid, Nonce } from '../ids.ts'
import type { TokenReference } from '../macaroon/identifier.ts'
import { nonceTimeMs } from '../macaroon/nonce.ts'
import type { KnownRevocation, TokenRevocation } from './revocation-row.ts'
import type { Fallen } from './verdict.ts'

/** A revocation of more than one token. */
export type CutOff = Exclude<KnownRevocation, TokenRevocation>

/** Up to which time of issue, unix milliseconds, by name; Infinity for whenever it was. */
type Reach = Map<string, number>

/** A row acts inside its org only. */
interface OrgCutOffs {
  /** `org`: all tokens up to a time. `org_disabled`: all. */
  readonly whole: Reach
  readonly subjects: Reach
  readonly keys: Reach
}

export class CutOffs {
  readonly #orgs = new Map<string, OrgCutOffs>()
  #size = 0
  #latestMs = 0

  /** 0: nothing needs to be asked. */
  get size(): number {
    return this.#size
  }

  /** The latest time that anything was ever cut off at: what is minted has to be later. */
  get latestMs(): number {
    return this.#latestMs
  }

  /** Of a token of this org. Where its subject is not known, those of subjects say nothing. */
  fallen({ kid, nonce }: TokenReference, org: string, subject: string | undefined): Fallen | undefined {
    const own = this.#orgs.get(org)
    if (own === undefined) return undefined
    if (own.whole.has('org_disabled')) return 'org_disabled'
    if (own.keys.has(kid)) return 'key_retired'
    const issuedMs = nonceTimeMs(nonce)
    if (issuedMs <= (own.whole.get('org') ?? -1)) return 'revoked'
    if (subject === undefined) return undefined
    return issuedMs <= (own.subjects.get(subject) ?? -1) ? 'revoked' : undefined
  }

  /** How far that which the cut-off names is cut off by its kind now; undefined for not at all. */
  reach(cutOff: CutOff): number | undefined {
    const own = this.#orgs.get(cutOff.org)
    return own === undefined ? undefined : mapOf(own, cutOff).get(nameOf(cutOff))
  }

  /** Whether it would change nothing: the same, or one that reaches as far, is here. */
  covers(cutOff: CutOff): boolean {
    return (this.reach(cutOff) ?? -1) >= wanted(cutOff)
  }

  /** True when it cuts off more than before. */
  take(cutOff: CutOff): boolean {
    if (this.covers(cutOff)) return false
    if ('untilMs' in cutOff) this.#latestMs = Math.max(this.#latestMs, cutOff.untilMs)
    this.reset(cutOff, wanted(cutOff))
    return true
  }

  /** What holds now, as rows that would bring it about; their numbers are nobody's. */
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

  /** Sets what it names to `reach`: to what held before, when its transaction is undone. */
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
 * What a revocation of a broader kind denies already, of all that this one names. `org`: that it acts in, where it is known; a token names only its key. Whatever is made from a token goes back to it, and is
 * judged by the same cut-offs.
 */
export function isCoveredByBroader(cutOffs: CutOffs, row: KnownRevocation, org: string): boolean {
  if (row.kind === 'token') {
    return cutOffs.fallen({ kid: row.kid as Kid, nonce: row.nonce as Nonce }, org, undefined) !== undefined
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
