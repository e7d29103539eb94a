/**
 * Looks up tokens in the worker's cache. An exact hit is a text that was verified before. A prefix hit is a token attenuated
 * from a cached one: only its new caveats are verified, because the tail of the cached chain is the key of the next HMAC.
 * In every doubtful case the lookup is a miss, and the worker asks a replica.
 */
import { equalSecrets, hmacInto } from '../../../shared/crypto.ts'
import { KEY_BYTES } from '../../../shared/hmac.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { type TokenId, tokenId } from '../../../shared/ids.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import type { Caveat, Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
import type { Access, Context } from '../../../shared/verifier/access.ts'
import type { Accepted, Verdict } from '../../../shared/verifier/verdict.ts'
import { type CachedToken, fromAccepted, fromParent } from './cached-token.ts'
import { judgeCached } from './judge-cached.ts'
import { TAGGED_CHARS_MIN, textTagger } from './text-tag.ts'
import { type CacheBounds, TokenCache } from './token-cache.ts'

export type HitKind = 'exact' | 'prefix'

export interface Hit {
  readonly kind: HitKind
  readonly verdict: Verdict
}

export interface VerifiedTokensOptions {
  readonly bounds: CacheBounds
  /** `TAG_SEED_BYTES` secret bytes. */
  readonly seed: Uint8Array
}

export class VerifiedTokens {
  readonly #cache: TokenCache

  constructor({ bounds, seed }: VerifiedTokensOptions) {
    this.#cache = new TokenCache(bounds, textTagger(seed))
  }

  get size(): number {
    return this.#cache.size
  }

  get bytes(): number {
    return this.#cache.bytes
  }

  /** The verdict, or undefined if a replica must be asked. Never throws, for any token and any access. */
  judge(text: string, access: Access, context: Context): Hit | undefined {
    if (typeof text !== 'string') return undefined
    const exact = this.#cache.find(text)
    if (exact !== undefined) return hit('exact', judgeCached(exact, access, context))
    return hit('prefix', this.#judgeExtension(text, access, context))
  }

  /** Keeps a bundle that a replica has just accepted, if its caveats can be judged here. */
  keep(text: string, verdict: Accepted): void {
    if (text.length < TAGGED_CHARS_MIN || Buffer.byteLength(text) !== text.length) return
    const token = orUndefined(() => fromAccepted(text, verdict))
    // A replica of another version might decode a token differently from this worker.
    if (token !== undefined && token.accepted.id === verdict.id) this.#cache.add(token)
  }

  /**
   * Drops all entries with the token id of a bundle that a replica refused, because the replica's state may be newer than the
   * cache. Returns the number of dropped entries.
   */
  forget(text: string): number {
    const name = orUndefined(() => nameOf(text))
    return name === undefined ? 0 : this.#cache.dropNamed(name)
  }

  /** Drops a revoked token and every token made from it. Returns the number of dropped entries. */
  dropNamed(name: TokenId): number {
    return this.#cache.dropNamed(name)
  }

  dropWhere(hits: (token: CachedToken) => boolean): number {
    return this.#cache.dropWhere(hits)
  }

  dropAll(): void {
    this.#cache.clear()
  }

  #judgeExtension(text: string, access: Access, context: Context): Verdict | undefined {
    if (this.#cache.size === 0) return undefined
    const macaroon = orUndefined(() => decodeTokenText(text))
    // A third-party caveat needs discharges, and only a replica has the keys to verify them.
    if (macaroon === undefined || macaroon.caveats.some(({ vid }) => vid !== undefined)) return undefined
    const parent = this.#parentOf(macaroon)
    if (parent === undefined) return undefined
    this.#cache.touch(parent)
    const token = fromParent(text, macaroon, parent)
    const verdict = token && judgeCached(token, access, context)
    if (token !== undefined && verdict?.ok === true) this.#cache.add(token)
    return verdict
  }

  /** The longest cached chain that this macaroon extends, if the macaroon's signature follows from it. */
  #parentOf(macaroon: Macaroon): CachedToken | undefined {
    let longest: CachedToken | undefined
    for (const token of this.#cache.chainsOf(macaroon.identifier)) {
      const known = token.macaroon.caveats
      if (known.length <= (longest?.macaroon.caveats.length ?? -1) || !startsWith(macaroon.caveats, known)) continue
      longest = token
    }
    return longest !== undefined && extendsChain(longest.macaroon, macaroon) ? longest : undefined
  }
}

function nameOf(text: string): TokenId | undefined {
  const [macaroon] = decodeBundle(text)
  if (macaroon === undefined) return undefined
  const { kid, nonce } = decodeIdentifier(macaroon.identifier)
  return tokenId(kid, nonce)
}

function hit(kind: HitKind, verdict: Verdict | undefined): Hit | undefined {
  return verdict && { kind, verdict }
}

/** True if the first caveats are the known ones. This need not take constant time, because the holder knows both macaroons. */
function startsWith(caveats: readonly Caveat[], known: readonly Caveat[]): boolean {
  if (known.length > caveats.length) return false
  return known.every(({ cid }, index) => Buffer.compare(cid, caveats[index]?.cid ?? NOTHING) === 0)
}

const NOTHING = new Uint8Array(0)

/** True if one HMAC per new caveat leads from the tail of the known chain to the signature. */
function extendsChain(known: Macaroon, macaroon: Macaroon): boolean {
  const tail = Buffer.alloc(KEY_BYTES)
  tail.set(known.signature)
  for (const { cid } of macaroon.caveats.slice(known.caveats.length)) hmacInto(tail, tail, cid)
  return equalSecrets(tail, macaroon.signature)
}

/** Undefined if the token cannot be read. A replica is then asked, and gives the reason. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MacaroondError) return undefined
    throw error
  }
}
