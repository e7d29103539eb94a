/**
 * The worker's cache as it is asked: an exact hit is a text that was verified before; a prefix hit is a token attenuated
 * from one, and pays for its new caveats only, because the tail of the known one is the key of the first of them. Whatever
 * is in doubt is a miss, and a replica is asked.
 */
import { equalSecrets, hmacInto, KEY_BYTES } from '../../../shared/crypto.ts'
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
  /** `TAG_SEED_BYTES` that nobody else knows. */
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

  /** Undefined: ask a replica. Never throws, whatever token and access are. */
  judge(text: string, access: Access, context: Context): Hit | undefined {
    if (typeof text !== 'string') return undefined
    const exact = this.#cache.find(text)
    if (exact !== undefined) return hit('exact', judgeCached(exact, access, context))
    return hit('prefix', this.#judgeExtension(text, access, context))
  }

  /** Keeps a bundle that a replica has just accepted, where what it says can be judged here. */
  keep(text: string, verdict: Accepted): void {
    if (text.length < TAGGED_CHARS_MIN || Buffer.byteLength(text) !== text.length) return
    const token = readable(() => fromAccepted(text, verdict))
    // A replica of another version might read a token otherwise than this worker.
    if (token !== undefined && token.accepted.id === verdict.id) this.#cache.add(token)
  }

  /**
   * A replica refused this bundle for good, by a state that may be newer than what is known here: nothing else that
   * stands here under its name may be accepted after that. How many entries were dropped.
   */
  forget(text: string): number {
    const name = readable(() => nameOf(text))
    return name === undefined ? 0 : this.#cache.dropNamed(name)
  }

  /** A token was revoked: it goes with all that was made from it. How many entries that were. */
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
    const macaroon = readable(() => decodeTokenText(text))
    // A third-party caveat wants discharges, and only who has the keys can tell whether they are authentic.
    if (macaroon === undefined || macaroon.caveats.some(({ vid }) => vid !== undefined)) return undefined
    const parent = this.#parentOf(macaroon)
    if (parent === undefined) return undefined
    this.#cache.touch(parent)
    const token = fromParent(text, macaroon, parent)
    const verdict = token && judgeCached(token, access, context)
    if (token !== undefined && verdict?.ok === true) this.#cache.add(token)
    return verdict
  }

  /** The longest known chain that this macaroon goes on from, if its signature is where that leads. */
  #parentOf(macaroon: Macaroon): CachedToken | undefined {
    let longest: CachedToken | undefined
    for (const token of this.#cache.chainsOf(macaroon.identifier)) {
      const known = token.macaroon.caveats
      if (known.length <= (longest?.macaroon.caveats.length ?? -1) || !begins(macaroon.caveats, known)) continue
      longest = token
    }
    return longest !== undefined && goesOn(longest.macaroon, macaroon) ? longest : undefined
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

/** Holders have both macaroons, so this comparison may end early. */
function begins(caveats: readonly Caveat[], known: readonly Caveat[]): boolean {
  if (known.length > caveats.length) return false
  return known.every(({ cid }, index) => Buffer.compare(cid, caveats[index]?.cid ?? NOTHING) === 0)
}

const NOTHING = new Uint8Array(0)

/** One HMAC for each new caveat, the first of them under the tail of the known chain. */
function goesOn(known: Macaroon, macaroon: Macaroon): boolean {
  const tail = Buffer.alloc(KEY_BYTES)
  tail.set(known.signature)
  for (const { cid } of macaroon.caveats.slice(known.caveats.length)) hmacInto(tail, tail, cid)
  return equalSecrets(tail, macaroon.signature)
}

/** Undefined for what cannot be read: why, a replica says. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof MacaroondError) return undefined
    throw error
  }
}
