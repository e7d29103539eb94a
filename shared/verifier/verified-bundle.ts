/**
 * *Verify* for a whole bundle: recomputes the chain of every discharge that a third-party caveat of the token, or of
 * another discharge, asks for, with the key that the caveat holds. What comes out names nothing unauthenticated, and
 * says which discharges could serve which caveat; whether they clear is for `clear.ts`.
 */
import { equalSecrets, sha256 } from '../crypto.ts'
import type { Caveat, Macaroon } from '../macaroon/macaroon.ts'
import { hmacCount, type VerifiedChain, type VerifiedMacaroon, verifyChain } from '../macaroon/signature.ts'
import { type Refused, refused, type ThirdParty } from './verdict.ts'
import { type WorkBudget, workExceeded } from './work.ts'

/** An authenticated macaroon of the bundle. Its caveats may refer to one another in circles. */
export interface VerifiedNode {
  readonly macaroon: VerifiedMacaroon
  /** Place in the bundle: 0 for the token, discharges from 1. */
  readonly index: number
  /** By place among the caveats. */
  readonly thirdParties: ReadonlyMap<number, VerifiedThirdParty>
}

export interface VerifiedThirdParty {
  readonly caveat: Caveat
  /** False when its verifier id holds no key. */
  readonly readable: boolean
  /** Authentic discharges for it, in the order of the bundle. */
  readonly candidates: readonly VerifiedNode[]
  /** Places of discharges that bear its ticket, but are not authentic. */
  readonly rejected: readonly number[]
}

export function thirdPartyOf({ cid, location = '' }: Caveat): ThirdParty {
  return { location, ticket: sha256(cid).toString('hex', 0, 16) }
}

/** Errors, as refusals: `token_too_large`, `work_exceeded`. Discharges that nothing asks for are not looked at. */
export function verifyDischarges(
  root: VerifiedChain,
  discharges: readonly Macaroon[],
  work: WorkBudget,
): VerifiedNode | Refused {
  const { limits } = work
  if (discharges.length > limits.discharges) return tooLarge('discharges', limits.discharges)
  const caveats = discharges.reduce((sum, discharge) => sum + discharge.caveats.length, root.macaroon.caveats.length)
  if (caveats > limits.caveats) return tooLarge('caveats in all', limits.caveats)
  // Most tokens have no third-party caveat, and then whatever came along is ignored.
  if (root.caveatKeys.length === 0) return { macaroon: root.macaroon, index: 0, thirdParties: NONE }
  return new DischargeVerifier(root, discharges, work).run()
}

const NONE: ReadonlyMap<number, VerifiedThirdParty> = new Map()

interface BuiltNode extends VerifiedNode {
  readonly thirdParties: Map<number, VerifiedThirdParty>
  /** What it was verified with; nothing for the token itself. */
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
      if (this.#work.exceeded) return workExceeded()
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

  /** A discharge is authentic under one key at most, so a second caveat with its ticket only compares the keys. */
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

/** One character a byte: a key for a Map, never shown. */
function bytesAsText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function tooLarge(what: string, limit: number): Refused {
  return refused('token_too_large', `the bundle has more ${what} than the limit of ${limit}`)
}
