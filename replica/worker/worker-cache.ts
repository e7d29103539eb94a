/**
 * The shell of the worker's cache. It holds both the verified tokens and the state of the feed, so that nothing can run between
 * the receipt of a revocation and the drop of the entries that it denies. It has no connection of its own.
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
  basisOf,
  startFeed,
  stepFeed,
} from './feed-core.ts'
import { isCurrent, LONG_SPAN_MS, type FrozenContext, frozenContextOf, SPAN_MS } from './frozen-context.ts'

export interface WorkerCacheOptions extends VerifiedTokensOptions {
  readonly now: () => ClockReading
  /** Must not throw. */
  readonly onAlarm?: ((alarm: WorkerAlarm) => void) | undefined
  /** Called when the cache has got a lease, and when the lease has ended. Must not throw. */
  readonly onLease?: ((held: boolean) => void) | undefined
  /** Called with revocations after the entries that they deny were dropped. Must not throw. */
  readonly onRevoked?: ((rows: readonly RevocationRow[]) => void) | undefined
}

/** A condition that the operator of the replicas must know. */
export interface WorkerAlarm {
  readonly code: 'minimum_unreached'
  /** One sentence for people. */
  readonly message: string
  readonly action: string
}

/** Counters and state of the cache, since the start. They name no token. */
export interface CacheStatistics {
  /** Verdicts for tokens in the cache, without any network. */
  readonly hits: number
  /** Verdicts for tokens attenuated from a cached one, without any network. Not included in `hits`. */
  readonly prefixHits: number
  /** Verifications for which a replica was asked. */
  readonly misses: number
  /** Answers that were discarded because a revocation had arrived meanwhile. */
  readonly overtaken: number
  readonly entries: number
  /** Estimated memory of the entries. */
  readonly bytes: number
  /** Entries that revocations removed. */
  readonly revokedEntries: number
  /** How often the whole cache was dropped, by reason. */
  readonly drops: Readonly<Record<DropReason, number>>
  /** Milliseconds; 0 while the cache must not answer. */
  readonly leaseRemainingMs: number
  /** The last revocation applied here; null before the first message of a replica. */
  readonly applied: { readonly epoch: number; readonly seq: number } | null
  /** PeerId of the replica that granted the lease; null without a lease. */
  readonly replica: string | null
  /** The reason why no replica feeds the cache; null while one does. */
  readonly feedError: string | null
}

export type CachedVerdict = Verdict & Omit<Judged, 'pid'> & { readonly cached: HitKind }

export interface CacheQuery {
  readonly peer?: string | undefined
  readonly minPosition?: string | undefined
}

/** The time of a request to a replica, and the worker's lease at that time. */
export interface AskedLease {
  readonly at: ClockReading
  /** Milliseconds left of the lease; 0 without one. */
  readonly leaseMs: number
}

interface Judging {
  readonly token: string
  readonly access: Access
  readonly query: CacheQuery
}

const PEER_CHARS_MAX = 128
/** If the frozen context ended during a verdict, the verdict is computed again: in a new span, then in longer ones. */
const NEXT_SPANS_MS = [SPAN_MS, LONG_SPAN_MS, LONG_SPAN_MS]

export class WorkerCache {
  readonly #now: () => ClockReading
  readonly #options: Pick<WorkerCacheOptions, 'onAlarm' | 'onLease' | 'onRevoked'>
  readonly #tokens: VerifiedTokens
  #state: FeedState = startFeed()
  /** Undefined until the clocks are read again. Every event ends it. */
  #frozen: FrozenContext | undefined
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

  constructor(options: WorkerCacheOptions) {
    this.#now = options.now
    this.#options = options
    this.#tokens = new VerifiedTokens(options)
  }

  /** Replicas must not answer from a state older than this. */
  get minimum(): Mark {
    return this.#state.minimum
  }

  get place(): FeedState['place'] {
    return this.#state.place
  }

  statistics(): Omit<CacheStatistics, 'feedError'> {
    const { place, holder } = this.#state
    const basis = basisOf(this.#state, this.#now())
    return {
      hits: this.#hits.exact,
      prefixHits: this.#hits.prefix,
      misses: this.#misses,
      overtaken: this.#overtaken,
      entries: this.#tokens.size,
      bytes: this.#tokens.bytes,
      revokedEntries: this.#revokedEntries,
      drops: { ...this.#drops },
      leaseRemainingMs: basis === undefined ? 0 : remainingMs(holder, this.#now()),
      applied: place === undefined ? null : { epoch: place.epoch, seq: place.seq },
      replica: basis?.node ?? null,
    }
  }

  /** The verdict from the cache, or undefined if a replica must be asked. */
  judge(token: string, access: Access, query: CacheQuery): CachedVerdict | undefined {
    let frozen = this.#frozen ?? this.#begin(SPAN_MS)
    for (const nextMs of NEXT_SPANS_MS) {
      const verdict = frozen && this.#judgeIn(frozen, { token, access, query })
      if (frozen === undefined || verdict === undefined) return undefined
      if (isCurrent(frozen, this.#now())) {
        this.#hits[verdict.cached] += 1
        return verdict
      }
      frozen = this.#begin(nextMs)
    }
    return undefined
  }

  /** To be called before a replica is asked. Counts a miss, and returns the present lease, which `use` needs. */
  ask(): AskedLease {
    this.#misses += 1
    const at = this.#now()
    return { at, leaseMs: this.#state.fault === undefined ? remainingMs(this.#state.holder, at) : 0 }
  }

  /**
   * Takes a replica's answer, and keeps an accepted token if there is a lease. False if the answer must not be used, in two
   * cases: its state is older than the minimum, so a revocation may be missing; or it took longer than the lease that was
   * running when the replica was asked.
   */
  use(token: string, verdict: Verdict & Partial<Judged>, asked: AskedLease): boolean {
    const { epoch, revocationSeq: seq } = verdict
    // Without a verdict on the token there is nothing to check.
    if (epoch === undefined || seq === undefined || (!verdict.ok && verdict.reason === 'unavailable')) return true
    if (compareMarks({ epoch, seq }, this.#state.minimum) < 0 || this.#leaseEndedSince(asked)) {
      this.#overtaken += 1
      return false
    }
    this.step({ kind: 'answered', mark: { epoch, seq }, peer: verdict.node ?? '' })
    if (!verdict.ok) this.#refused(token, verdict.reason)
    else if (this.#begin()?.basis.place.epoch === epoch) this.#tokens.keep(token, verdict)
    return true
  }

  /** Takes every answer of a replica, even `unavailable`, because its state may prove that the minimum is wrong. */
  heard({ epoch, revocationSeq: seq, ageMs }: Judged, asked: ClockReading): void {
    if (ageMs !== undefined) this.step({ kind: 'stated', mark: { epoch, seq }, ageMs, asked })
  }

  /** Empties the cache. It answers nothing afterwards. */
  close(): void {
    this.#state = startFeed()
    this.#frozen = undefined
    this.#tokens.dropAll()
  }

  /** Feeds an event to the core and carries out its effects on the cache. Returns all effects, for the connection. */
  step(event: FeedEvent): readonly FeedEffect[] {
    const held = isHeld(this.#state)
    const { state, effects } = stepFeed(this.#state, event, this.#now())
    this.#state = state
    this.#frozen = undefined
    for (const effect of effects) {
      if (effect.kind === 'drop all') this.#dropAll(effect.why)
      else if (effect.kind === 'drop') this.#drop(effect.rows)
      else if (effect.kind === 'alarm') this.#alarm(effect)
    }
    this.#reportLease(held, effects)
    return effects
  }

  /** One step can notice the end of a lease and begin the next one. */
  #reportLease(before: boolean, effects: readonly FeedEffect[]): void {
    const after = isHeld(this.#state)
    const ended = effects.some((effect) => effect.kind === 'drop all' && effect.why === 'lease ended')
    if (before && (ended || !after)) this.#options.onLease?.(false)
    if (after && (ended || !before)) this.#options.onLease?.(true)
  }

  /** Reads the clocks and begins a new frozen context. If the lease is over, everything is dropped. */
  #begin(spanMs: number = SPAN_MS): FrozenContext | undefined {
    const frozen = frozenContextOf(this.#state, this.#now(), spanMs)
    if (frozen === undefined) this.step({ kind: 'time passed' })
    // A long span serves only the present verdict.
    this.#frozen = spanMs === SPAN_MS ? frozen : undefined
    return frozen
  }

  #judgeIn({ basis, context }: FrozenContext, { token, access, query }: Judging): CachedVerdict | undefined {
    const { peer, minPosition } = query
    if (!hasReached(basis, minPosition) || !isPeer(peer)) return undefined
    const hit = this.#tokens.judge(token, access, peer === undefined ? context : { ...context, peer })
    if (hit === undefined) return undefined
    const { node, region, place, txid } = basis
    const { epoch, seq: revocationSeq } = place
    return { ...hit.verdict, node, region, epoch, txid, revocationSeq, cached: hit.kind }
  }

  /** True if that lease has ended. The grantor stops waiting for this worker then, so the token may be revoked by now. */
  #leaseEndedSince({ at, leaseMs }: AskedLease): boolean {
    return leaseMs > 0 && elapsedMs(at, this.#now()) >= leaseMs && this.#begin() === undefined
  }

  #alarm({ from, minimum, reached }: Extract<FeedEffect, { kind: 'alarm' }>): void {
    const { summary, action } = ALARMS.minimum_unreached
    const [named, there] = [minimum, reached].map(({ epoch, seq }) => `epoch ${epoch}, revocation ${seq}`)
    const message = `${summary}: ${from || 'a replica'} reported ${named}; others are at ${there}`
    this.#options.onAlarm?.({ code: 'minimum_unreached', message, action })
  }

  #dropAll(why: DropReason): void {
    this.#tokens.dropAll()
    this.#drops[why] += 1
  }

  #drop(rows: readonly RevocationRow[]): void {
    for (const row of rows) {
      if (row.kind === 'unknown') this.step({ kind: 'not understood', message: notUnderstood(row), seq: row.seq })
      else this.#revokedEntries += dropRevoked(this.#tokens, row)
    }
    this.#options.onRevoked?.(rows)
  }

  /** S3: once this worker has reported a token as revoked, no older entry may accept it again. */
  #refused(token: string, reason: string): void {
    if (REVOKED_REASONS.has(reason)) this.#revokedEntries += this.#tokens.forget(token)
  }
}

/** True if the cache has a lease, as far as its end was noticed. */
function isHeld({ live, fault, place }: FeedState): boolean {
  return live && fault === undefined && place !== undefined
}

const REVOKED_REASONS: ReadonlySet<string> = new Set(['revoked', 'key_retired', 'org_disabled'])

function isPeer(peer: unknown): peer is string | undefined {
  return peer === undefined || (typeof peer === 'string' && peer.length <= PEER_CHARS_MAX)
}

/** True if the cache has reached the position. A position of another epoch, or a malformed one, is left to a replica. */
function hasReached({ place, txid }: CacheBasis, minPosition: string | undefined): boolean {
  if (minPosition === undefined) return true
  const wanted = positionOrUndefined(minPosition)
  return wanted !== undefined && wanted.epoch === place.epoch && wanted.txid <= txid
}

function positionOrUndefined(text: string): Position | undefined {
  try {
    return parsePosition(text)
  } catch (error) {
    if (error instanceof MacaroondError) return undefined
    throw error
  }
}
