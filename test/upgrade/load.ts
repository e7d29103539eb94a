/**
 * Work that goes on while nodes are replaced: both versions' clients mint, revoke and verify. Every verdict is judged: a token
 * whose revocation binds is never accepted, and none is refused as revoked before somebody asked for it.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { Verifier } from '../../replica/worker/sdk.ts'
import type { KnownToken, Ledger } from '../chaos/ledger.ts'
import type { Random } from '../chaos/random.ts'

/** A client, and what it is called in a failure. */
export interface Named<T> {
  readonly name: string
  readonly client: T
}

export interface LoadOptions {
  readonly signers: readonly Named<Signer>[]
  readonly verifiers: readonly Named<Verifier>[]
  readonly ledger: Ledger
  readonly random: Random
  /** Within it a durable revocation binds everywhere. */
  readonly boundMs: number
}

export const ORG = 'acme'
const PAUSE_MS = 20
const RECENT = 200
const SUBJECT_BYTES = 90

export class UpgradeLoad {
  readonly #options: LoadOptions
  readonly #loops: Promise<void>[] = []
  /** When a revocation binds everywhere, monotonic milliseconds. */
  readonly #bindsAtMs = new Map<KnownToken, number>()
  /** What was done, by who did it and what it was. */
  readonly #done = new Map<string, number>()
  #running = true
  /** The first thing that must not be. */
  failure: Error | undefined

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    for (const signer of this.#options.signers) {
      this.#loop(() => this.#mint(signer))
      this.#loop(() => this.#revoke(signer, 'durable'))
      this.#loop(() => this.#revoke(signer, 'global'))
    }
    for (const verifier of this.#options.verifiers) this.#loop(() => this.#verifyAny(verifier))
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
    if (this.failure !== undefined) throw this.failure
  }

  count(what: string): number {
    return this.#done.get(what) ?? 0
  }

  /** Throws when a replica says of this token what it must not. Returns the answer's reason, or `ok`. */
  async verify({ name, client }: Named<Verifier>, known: KnownToken): Promise<string> {
    const mustRefuse = (this.#bindsAtMs.get(known) ?? Infinity) <= performance.now()
    const verdict = await client.verify(known.token, { org: ORG })
    const answer = verdict.ok ? 'ok' : verdict.reason
    if (answer === 'unavailable') return answer
    const isRight = answer === 'ok' ? !mustRefuse : answer === 'revoked' && known.revocationSent
    if (!isRight) throw new Error(`${name} answers ${answer}: ${known.id}, ${mustRefuse ? 'revoked' : 'not revoked'}`)
    this.#count(`verified at ${name}`)
    return answer
  }

  async #mint({ name, client }: Named<Signer>): Promise<void> {
    const { ledger } = this.#options
    const subject = randomBytes(SUBJECT_BYTES).toString('base64url')
    const { token, id, position } = await client.mint({ org: ORG, subject })
    ledger.acknowledged(position)
    ledger.tokens.push({ token, id, position, revocationSent: false, revoked: false })
    this.#count(`minted by ${name}`)
  }

  async #revoke({ name, client }: Named<Signer>, wait: 'durable' | 'global'): Promise<void> {
    const { ledger, random, boundMs } = this.#options
    const known = random.pick(ledger.tokens.slice(-RECENT))
    if (known === undefined || known.revocationSent) return
    known.revocationSent = true
    const { position } = await client.revoke({ token: known.token, wait })
    ledger.acknowledged(position)
    known.revoked = true
    ledger.revoked.push(known)
    this.#bindsAtMs.set(known, performance.now() + (wait === 'global' ? 0 : boundMs))
    this.#count(`revoked by ${name}, ${wait}`)
  }

  async #verifyAny(verifier: Named<Verifier>): Promise<void> {
    const { ledger, random } = this.#options
    const known = random.pick(random.below(2) === 0 ? ledger.tokens : ledger.revoked)
    if (known !== undefined) await this.verify(verifier, known)
  }

  #count(what: string): void {
    this.#done.set(what, this.count(what) + 1)
  }

  #loop(body: () => Promise<void>): void {
    const run = async (): Promise<void> => {
      while (this.#running && this.failure === undefined) {
        try {
          await body()
        } catch (error) {
          if (!isIndeterminate(error)) this.failure ??= error instanceof Error ? error : new Error(String(error))
        }
        await setTimeout(PAUSE_MS)
      }
    }
    this.#loops.push(run())
  }
}

/** A node that is away, or that takes no writes yet, says nothing about what happened. Each version has a class of its own. */
function isIndeterminate(error: unknown): boolean {
  const { kind, code } = error as { readonly kind?: string; readonly code?: string }
  return kind === 'unavailable' || code === 'closed'
}
