/**
 * The shell of the cache: verified tokens and the feed's core in one piece, so that nothing comes between what a message
 * says and what it takes away. It knows no connection.
 */
import { MacaroondError } from '../../shared/errors.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import { remainingMs } from '../../shared/freshness/holder.ts'
import { compareMarks, type Mark } from '../../shared/freshness/mark.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { tokenId } from '../../shared/ids.ts'
import { parsePosition, type Position } from '../../shared/position.ts'
import { KIND_TOKEN, type RevocationRow } from '../../shared/protocol/revocations.ts'
import type { Judged } from '../../shared/protocol/verify.ts'
import type { Access, Context } from '../../shared/verifier/access.ts'
import type { Verdict } from '../../shared/verifier/verdict.ts'
import { type HitKind, VerifiedTokens, type VerifiedTokensOptions } from './cache/verified-tokens.ts'
import {
  type DropReason,
  type FeedEffect,
  type FeedEvent,
  type FeedState,
  type Standing,
  standingOf,
  startFeed,
  stepFeed,
} from './feed-core.ts'

export interface WorkerCacheOptions extends VerifiedTokensOptions {
  readonly now: () => ClockReading
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
}

export type CachedVerdict = Verdict & Omit<Judged, 'pid'> & { readonly cached: HitKind }

export interface CacheQuery {
  readonly peer?: string | undefined
  readonly minPosition?: string | undefined
}

const PEER_CHARS_MAX = 128

export class WorkerCache {
  readonly #now: () => ClockReading
  readonly #tokens: VerifiedTokens
  #state: FeedState = startFeed()
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
  }

  constructor({ now, ...options }: WorkerCacheOptions) {
    this.#now = now
    this.#tokens = new VerifiedTokens(options)
  }

  /** What replicas are asked for: no state older than this. */
  get minimum(): Mark {
    return this.#state.minimum
  }

  get place(): FeedState['place'] {
    return this.#state.place
  }

  statistics(): CacheStatistics {
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
      replica: standing?.peer ?? null,
    }
  }

  /** Undefined: ask a replica. The lease is looked at before and after, because the process may be stopped between. */
  judge(token: string, access: Access, query: CacheQuery): CachedVerdict | undefined {
    const standing = this.#standing()
    if (standing === undefined || !reaches(standing, query.minPosition)) return undefined
    const { peer = '' } = query
    if (typeof peer !== 'string' || peer.length > PEER_CHARS_MAX) return undefined
    const hit = this.#tokens.judge(token, access, contextOf(standing, query.peer))
    if (hit === undefined || this.#standing() === undefined) return undefined
    this.#hits[hit.kind] += 1
    const { epoch, seq } = standing.place
    const judged = { node: standing.peer, region: standing.region, epoch, txid: standing.txid, revocationSeq: seq }
    return { ...hit.verdict, ...judged, cached: hit.kind }
  }

  /**
   * A replica's answer has come. False when it may not be used: it is of a state before one that is known of here, and a
   * revocation may stand between them. What it accepts is kept for as long as there is a lease.
   */
  use(token: string, verdict: Verdict & Partial<Judged>): boolean {
    const { epoch, revocationSeq: seq } = verdict
    // No replica was reached, or it says nothing of the token.
    if (epoch === undefined || seq === undefined || (!verdict.ok && verdict.reason === 'unavailable')) return true
    if (compareMarks({ epoch, seq }, this.#state.minimum) < 0) {
      this.#overtaken += 1
      return false
    }
    this.step({ kind: 'answered', mark: { epoch, seq } })
    if (!verdict.ok) this.#refused(token, verdict.reason)
    else if (this.#standing()?.place.epoch === epoch) this.#tokens.keep(token, verdict)
    return true
  }

  missed(): void {
    this.#misses += 1
  }

  /** Nothing is answered from it any more. */
  close(): void {
    this.#state = startFeed()
    this.#tokens.dropAll()
  }

  /** Carries out what concerns the cache, and hands back what concerns the connection. */
  step(event: FeedEvent): readonly FeedEffect[] {
    const { state, effects } = stepFeed(this.#state, event, this.#now())
    this.#state = state
    for (const effect of effects) {
      if (effect.kind === 'drop all') this.#dropAll(effect.why)
      else if (effect.kind === 'drop') this.#drop(effect.rows)
    }
    return effects
  }

  /** Looks whether the lease is over, and drops everything then. */
  #standing(): Standing | undefined {
    const standing = standingOf(this.#state, this.#now())
    if (standing === undefined) this.step({ kind: 'looked' })
    return standing
  }

  #dropAll(why: DropReason): void {
    this.#tokens.dropAll()
    this.#drops[why] += 1
  }

  #drop(rows: readonly RevocationRow[]): void {
    for (const { kind, kid, nonce, seq } of rows) {
      if (kind === KIND_TOKEN) this.#revokedEntries += this.#tokens.dropNamed(tokenId(kid as Kid, nonce as Nonce))
      else
        this.step({
          kind: 'puzzled',
          message: `revocation ${seq} is of kind "${kind}", which this version does not know`,
        })
    }
  }

  /** S3: what this worker has passed on as revoked is not accepted again by an entry from before. */
  #refused(token: string, reason: string): void {
    if (FALLEN.has(reason)) this.#revokedEntries += this.#tokens.forget(token)
  }
}

const FALLEN: ReadonlySet<string> = new Set(['revoked', 'key_retired', 'org_disabled'])

function contextOf({ earliestMs, latestMs, region, ageMs }: Standing, peer: string | undefined): Context {
  const times = { nowEarliestMs: earliestMs, nowLatestMs: latestMs, stalenessMs: ageMs }
  return peer === undefined ? { ...times, region } : { ...times, region, peer }
}

/** What a position of another epoch means, or a text that is none, a replica says. */
function reaches({ place, txid }: Standing, minPosition: string | undefined): boolean {
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
