/**
 * The shell of the cache: verified tokens and the feed's core in one piece, so that nothing comes between what a message
 * says and what it takes away. It knows no connection.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { elapsedMs, type ClockReading } from '../../shared/freshness/clock-reading.ts'
import { remainingMs } from '../../shared/freshness/holder.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import { parsePosition, type Position } from '../../shared/position.ts'
import { notUnderstood, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import type { Judged } from '../../shared/protocol/verify.ts'
import { ALARMS } from '../../shared/alarms.ts'
import type { Access } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import { dropRevoked } from './cache/drop-revoked.ts'
import { type HitKind, VerifiedTokens, type VerifiedTokensOptions } from './cache/verified-tokens.ts'
import {
  type DropReason,
  type FeedEffect,
  type FeedEvent,
  type FeedState,
  type CacheBasis,
  standingOf,
  startFeed,
  stepFeed,
} from './feed-core.ts'
import { lasts, LONG_SPAN_MS, type FrozenContext, frozenContextOf, SPAN_MS } from './frozen-context.ts'

export interface WorkerCacheOptions extends VerifiedTokensOptions {
  readonly now: () => ClockReading
  readonly onAlarm?: ((alarm: WorkerAlarm) => void) | undefined
}

/** Something that the operator of the replicas has to know. */
export interface WorkerAlarm {
  readonly code: 'minimum_unreached'
  /** One sentence for people. */
  readonly message: string
  readonly action: string
}

/** How the cache has fared so far. Nothing in it names a token. */
export interface CacheStatistics {
  /** Verdicts given without any network. */
  readonly hits: number
  /** The same, for tokens attenuated from known ones; not among `hits`. */
  readonly prefixHits: number
  /** Verifications that a replica was asked for. */
  readonly misses: number
  /** Answers that came too late: a revocation had overtaken them. */
  readonly overtaken: number
  readonly entries: number
  /** An estimate. */
  readonly bytes: number
  /** Entries that revocations took away. */
  readonly revokedEntries: number
  /** How often everything was dropped, by reason. */
  readonly drops: Readonly<Record<DropReason, number>>
  /** 0 while nothing may be answered from the cache. */
  readonly leaseRemainingMs: number
  /** The revocations applied here; null before the first word of a replica. */
  readonly applied: { readonly epoch: number; readonly seq: number } | null
  /** PeerId of the replica whose lease this is. */
  readonly replica: string | null
  /** Why no replica feeds the cache, while none does. */
  readonly feedError: string | null
}

export type CachedVerdict = Verdict & Omit<Judged, 'pid'> & { readonly cached: HitKind }

export interface CacheQuery {
  readonly peer?: string | undefined
  readonly minPosition?: string | undefined
}

/** When and by which lease a replica was asked. */
export interface AskedLease {
  readonly at: ClockReading
  /** What was left of it; 0 without one. */
  readonly leaseMs: number
}

interface Judging {
  readonly token: string
  readonly access: Access
  readonly query: CacheQuery
}

const PEER_CHARS_MAX = 128
/** A verdict during which its moment ended is computed anew: in one that has just begun, then in a longer one. */
const NEXT_SPANS_MS = [SPAN_MS, LONG_SPAN_MS, LONG_SPAN_MS]

export class WorkerCache {
  readonly #now: () => ClockReading
  readonly #onAlarm: (alarm: WorkerAlarm) => void
  readonly #tokens: VerifiedTokens
  #state: FeedState = startFeed()
  /** Undefined until the next look at the clocks: whatever happens ends it. */
  #moment: FrozenContext | undefined
  #hits: Record<HitKind, number> = { exact: 0, prefix: 0 }
  #misses = 0
  #overtaken = 0
  #revokedEntries = 0
  #drops: Record<DropReason, number> = {
    'lease ended': 0,
    gap: 0,
    'new epoch': 0,
    'replica restarted': 0,
    'revocation not understood': 0,
    'minimum taken back': 0,
  }

  constructor({ now, onAlarm = () => undefined, ...options }: WorkerCacheOptions) {
    this.#now = now
    this.#onAlarm = onAlarm
    this.#tokens = new VerifiedTokens(options)
  }

  /** What replicas are asked for: no state older than this. */
  get minimum(): Mark {
    return this.#state.minimum
  }

  get place(): FeedState['place'] {
    return this.#state.place
  }

  statistics(): Omit<CacheStatistics, 'feedError'> {
    const { place, holder } = this.#state
    const standing = standingOf(this.#state, this.#now())
    return {
      hits: this.#hits.exact,
      prefixHits: this.#hits.prefix,
      misses: this.#misses,
      overtaken: this.#overtaken,
      entries: this.#tokens.size,
      bytes: this.#tokens.bytes,
      revokedEntries: this.#revokedEntries,
      drops: { ...this.#drops },
      leaseRemainingMs: standing === undefined ? 0 : remainingMs(holder, this.#now()),
      applied: place === undefined ? null : { epoch: place.epoch, seq: place.seq },
      replica: standing?.node ?? null,
    }
  }

  /** Undefined: ask a replica. */
  judge(token: string, access: Access, query: CacheQuery): CachedVerdict | undefined {
    let moment = this.#moment ?? this.#begin(SPAN_MS)
    for (const nextMs of NEXT_SPANS_MS) {
      const verdict = moment && this.#judgeIn(moment, { token, access, query })
      if (moment === undefined || verdict === undefined) return undefined
      if (lasts(moment, this.#now())) {
        this.#hits[verdict.cached] += 1
        return verdict
      }
      moment = this.#begin(nextMs)
    }
    return undefined
  }

  /** A replica is about to be asked. */
  ask(): AskedLease {
    this.#misses += 1
    const at = this.#now()
    return { at, leaseMs: this.#state.fault === undefined ? remainingMs(this.#state.holder, at) : 0 }
  }

  /**
   * A replica's answer has come. False when it may not be used: it is of a state before one that is known of here, and a
   * revocation may stand between them; or it took longer than the lease of then. What is accepted is kept for as long as
   * there is a lease.
   */
  use(token: string, verdict: Verdict & Partial<Judged>, asked: AskedLease): boolean {
    const { epoch, revocationSeq: seq } = verdict
    // No replica was reached, or it says nothing of the token.
    if (epoch === undefined || seq === undefined || (!verdict.ok && verdict.reason === 'unavailable')) return true
    if (compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#outlived(asked)) {
      this.#overtaken += 1
      return false
    }
    this.step({ kind: 'answered', mark: { epoch, seq }, peer: verdict.node ?? '' })
    if (!verdict.ok) this.#refused(token, verdict.reason)
    else if (this.#begin()?.standing.place.epoch === epoch) this.#tokens.keep(token, verdict)
    return true
  }

  /** Every answer of a replica, also one that says nothing of the token: it may show that the minimum is not true. */
  heard({ epoch, revocationSeq: seq, ageMs }: Judged, asked: ClockReading): void {
    if (ageMs !== undefined) this.step({ kind: 'stated', mark: { epoch, seq }, ageMs, asked })
  }

  /** Nothing is answered from it any more. */
  close(): void {
    this.#state = startFeed()
    this.#moment = undefined
    this.#tokens.dropAll()
  }

  /** Carries out what concerns the cache, and hands back what concerns the connection. */
  step(event: FeedEvent): readonly FeedEffect[] {
    const { state, effects } = stepFeed(this.#state, event, this.#now())
    this.#state = state
    this.#moment = undefined
    for (const effect of effects) {
      if (effect.kind === 'drop all') this.#dropAll(effect.why)
      else if (effect.kind === 'drop') this.#drop(effect.rows)
      else if (effect.kind === 'alarm') this.#alarm(effect)
    }
    return effects
  }

  /** Looks at the clocks: whether the lease is over, and then everything goes. */
  #begin(spanMs: number = SPAN_MS): FrozenContext | undefined {
    const moment = frozenContextOf(this.#state, this.#now(), spanMs)
    if (moment === undefined) this.step({ kind: 'looked' })
    // A long one is for one verdict.
    this.#moment = spanMs === SPAN_MS ? moment : undefined
    return moment
  }

  #judgeIn({ standing, context }: FrozenContext, { token, access, query }: Judging): CachedVerdict | undefined {
    const { peer, minPosition } = query
    if (!reaches(standing, minPosition) || !isPeer(peer)) return undefined
    const hit = this.#tokens.judge(token, access, peer === undefined ? context : { ...context, peer })
    if (hit === undefined) return undefined
    const { node, region, place, txid } = standing
    const { epoch, seq: revocationSeq } = place
    return { ...hit.verdict, node, region, epoch, txid, revocationSeq, cached: hit.kind }
  }

  /** Whoever granted the lease waits for its end, and no longer: an acceptance that comes after that may be revoked. */
  #outlived({ at, leaseMs }: AskedLease): boolean {
    return leaseMs > 0 && elapsedMs(at, this.#now()) >= leaseMs && this.#begin() === undefined
  }

  #alarm({ from, minimum, reached }: Extract<FeedEffect, { kind: 'alarm' }>): void {
    const { summary, action } = ALARMS.minimum_unreached
    const [named, there] = [minimum, reached].map(({ epoch, seq }) => `epoch ${epoch}, revocation ${seq}`)
    const message = `${summary}: ${from || 'a replica'} named ${named}; others are at ${there}`
    // What the service does with it must not end what the cache is doing.
    queueMicrotask(() => this.#onAlarm({ code: 'minimum_unreached', message, action }))
  }

  #dropAll(why: DropReason): void {
    this.#tokens.dropAll()
    this.#drops[why] += 1
  }

  #drop(rows: readonly RevocationRow[]): void {
    for (const row of rows) {
      if (row.kind === 'unknown') this.step({ kind: 'puzzled', message: notUnderstood(row) })
      else this.#revokedEntries += dropRevoked(this.#tokens, row)
    }
  }

  /** S3: what this worker has passed on as revoked is not accepted again by an entry from before. */
  #refused(token: string, reason: string): void {
    if (FALLEN.has(reason)) this.#revokedEntries += this.#tokens.forget(token)
  }
}

const FALLEN: ReadonlySet<string> = new Set(['revoked', 'key_retired', 'org_disabled'])

function isPeer(peer: unknown): peer is string | undefined {
  return peer === undefined || (typeof peer === 'string' && peer.length <= PEER_CHARS_MAX)
}

/** What a position of another epoch means, or a text that is none, a replica says. */
function reaches({ place, txid }: CacheBasis, minPosition: string | undefined): boolean {
  if (minPosition === undefined) return true
  const wanted = readable(minPosition)
  return wanted !== undefined && wanted.epoch === place.epoch && wanted.txid <= txid
}

function readable(text: string): Position | undefined {
  try {
    return parsePosition(text)
  } catch (error) {
    if (error instanceof MacaroondError) return undefined
    throw error
  }
}
