/**
 * *Verify* for a whole bundle: recomputes the HMAC chain of every discharge that a third-party caveat of the token, or of
 * another verified discharge, needs, with the key in that caveat. The result contains only verified macaroons, and the
 * discharges that could serve each caveat. It does not judge caveats; `clear.ts` does.
 */
import { equalSecrets, sha256 } from '../crypto.ts'
import type { Caveat, Macaroon } from '../macaroon/macaroon.ts'
import { hmacCount, type VerifiedChain, type VerifiedMacaroon, verifyChain } from '../macaroon/signature.ts'
import { type Refused, refused, type ThirdParty } from './verdict.ts'
import { type WorkBudget, workExceeded } from './work.ts'

/** A verified macaroon of the bundle. The graph of nodes may have cycles. */
export interface VerifiedNode {
  readonly macaroon: VerifiedMacaroon
  /** Position in the bundle: 0 for the token, discharges from 1. */
  readonly index: number
  /** By index of the caveat in the macaroon. */
  readonly thirdParties: ReadonlyMap<number, VerifiedThirdParty>
}

export interface VerifiedThirdParty {
  readonly caveat: Caveat
  /** True if its verifier id opens and contains a key. */
  readonly readable: boolean
  /** Authentic discharges for it, in the order of the bundle. */
  readonly candidates: readonly VerifiedNode[]
  /** Positions of discharges that bear its ticket, but are not authentic. */
  readonly rejected: readonly number[]
}

export function thirdPartyOf({ cid, location = '' }: Caveat): ThirdParty {
  return { location, ticket: sha256(cid).toString('hex', 0, 16) }
}

/** Refuses with `token_too_large` or `work_exceeded`. Discharges that no caveat needs are not read. */
export function verifyDischarges(
  root: VerifiedChain,
  discharges: readonly Macaroon[],
  work: WorkBudget,
): VerifiedNode | Refused {
  const { limits } = work
  if (discharges.length > limits.discharges) return tooLarge('discharges', limits.discharges)
  const caveats = discharges.reduce((sum, discharge) => sum + discharge.caveats.length, root.macaroon.caveats.length)
  if (caveats > limits.caveats) return tooLarge('caveats in all', limits.caveats)
  const bytes = [root.macaroon, ...discharges].reduce((sum, macaroon) => sum + caveatBytesOf(macaroon), 0)
  if (bytes > limits.caveatBytes) return tooLarge('bytes of caveats in all', limits.caveatBytes)
  // Most tokens have no third-party caveat. Discharges in their bundle are ignored.
  if (root.caveatKeys.length === 0) return { macaroon: root.macaroon, index: 0, thirdParties: NONE }
  return new DischargeVerifier(root, discharges, work).run()
}

/** Bytes of its first-party caveats, which are compiled. A third-party caveat is only compared. */
function caveatBytesOf({ caveats }: Macaroon): number {
  return caveats.reduce((sum, { cid, vid }) => (vid === undefined ? sum + cid.length : sum), 0)
}

const NONE: ReadonlyMap<number, VerifiedThirdParty> = new Map()

interface BuiltNode extends VerifiedNode {
  readonly thirdParties: Map<number, VerifiedThirdParty>
  /** The caveat key that it was verified with; undefined for the token itself. */
  readonly key: Uint8Array | undefined
}

class DischargeVerifier {
  readonly #root: VerifiedChain
  readonly #discharges: readonly Macaroon[]
  readonly #work: WorkBudget
  readonly #nodes = new Map<number, BuiltNode>()
  readonly #queue: (readonly [BuiltNode, VerifiedChain])[] = []
  #places: ReadonlyMap<string, readonly number[]> | undefined

  constructor(root: VerifiedChain, discharges: readonly Macaroon[], work: WorkBudget) {
    this.#root = root
    this.#discharges = discharges
    this.#work = work
  }

  run(): VerifiedNode | Refused {
    const root = this.#add(this.#root, 0, undefined)
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      this.#connect(...next)
      if (this.#work.exceeded) return workExceeded(this.#work)
    }
    return root
  }

  #add(chain: VerifiedChain, index: number, key: Uint8Array | undefined): BuiltNode {
    const node: BuiltNode = { macaroon: chain.macaroon, index, thirdParties: new Map(), key }
    this.#nodes.set(index, node)
    if (chain.caveatKeys.length > 0) this.#queue.push([node, chain])
    return node
  }

  #connect(node: BuiltNode, { macaroon, caveatKeys }: VerifiedChain): void {
    let nth = 0
    for (const [place, caveat] of macaroon.caveats.entries()) {
      if (caveat.vid === undefined) continue
      node.thirdParties.set(place, this.#thirdParty(caveat, caveatKeys[nth]))
      nth += 1
    }
  }

  #thirdParty(caveat: Caveat, key: Uint8Array | undefined): VerifiedThirdParty {
    if (key === undefined) return { caveat, readable: false, candidates: [], rejected: [] }
    const candidates: VerifiedNode[] = []
    const rejected: number[] = []
    for (const index of this.#placesOf(caveat.cid)) {
      const node = this.#authenticate(index, key)
      if (node === undefined) rejected.push(index)
      else candidates.push(node)
    }
    return { caveat, readable: true, candidates, rejected }
  }

  /** A discharge is authentic under at most one key, so for a second caveat with its ticket only the keys are compared. */
  #authenticate(index: number, key: Uint8Array): VerifiedNode | undefined {
    const known = this.#nodes.get(index)
    if (known !== undefined) return known.key !== undefined && equalSecrets(known.key, key) ? known : undefined
    const discharge = this.#discharges[index - 1]
    if (discharge === undefined || !this.#work.spendHmacs(hmacCount(discharge))) return undefined
    const chain = verifyChain(discharge, key, this.#root.macaroon.signature)
    return chain === undefined ? undefined : this.#add(chain, index, key)
  }

  #placesOf(ticket: Uint8Array): readonly number[] {
    this.#places ??= placesByIdentifier(this.#discharges)
    return this.#places.get(bytesAsText(ticket)) ?? []
  }
}

function placesByIdentifier(discharges: readonly Macaroon[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>()
  for (const [i, { identifier }] of discharges.entries()) {
    const text = bytesAsText(identifier)
    const known = places.get(text)
    if (known === undefined) places.set(text, [i + 1])
    else known.push(i + 1)
  }
  return places
}

/** One character per byte, as the key of a Map. The text is never shown. */
function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function tooLarge(what: string, limit: number): Refused {
  return refused('token_too_large', `the bundle has more ${what} than the limit of ${limit}`)
}
