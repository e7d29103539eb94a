/** The load during which nodes are killed: signers mint and revoke, a worker verifies. Every answer goes into the ledger. */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { Verifier } from '../../replica/worker/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { positionText } from '../../shared/position.ts'
import type { KnownToken, Ledger } from './ledger.ts'
import type { Random } from './random.ts'

export interface LoadOptions {
  readonly signer: Signer
  readonly verifier: Verifier
  readonly ledger: Ledger
  readonly random: Random
  /** False while a copy was put back to an older state: then only answers from a state as new as the ledger count. */
  readonly copyIsNewest: () => boolean
  /** Calls may fail like that; without it only where a node is away, or takes no writes yet. */
  readonly mayFail?: (error: unknown) => boolean
}

const MINTERS = 4
const REVOKERS = 2
const PAUSE_MS = 10
const ORG = 'acme'
/** Long and not to be compressed, so that the database, its log and its checkpoints grow quickly. */
const SUBJECT_BYTES = 180

export class Load {
  readonly #options: LoadOptions
  readonly #loops: Promise<void>[] = []
  #running = true
  /** The first thing that must not be. */
  failure: Error | undefined

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = true
    for (let index = 0; index < MINTERS; index += 1) this.#loop(() => this.#mint())
    for (let index = 0; index < REVOKERS; index += 1) this.#loop(() => this.#revoke())
    this.#loop(() => this.#verifyAny())
    this.#loop(() => this.#createOrg(), 400)
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops.splice(0))
  }

  /** Throws when the replica says of this token what it must not. Returns the answer's reason, or `ok`. */
  async verify(known: KnownToken): Promise<string> {
    const { verifier, ledger, copyIsNewest } = this.#options
    const { revoked } = known
    const { newest } = ledger
    const wasNewest = copyIsNewest()
    const minimum = wasNewest || newest === undefined ? {} : { minPosition: positionText(newest) }
    const verdict = await verifier.verify(known.token, { org: ORG }, minimum)
    const answer = verdict.ok ? 'ok' : verdict.reason
    ledger.verified += 1
    if (answer === 'revoked') ledger.refusedAsRevoked += 1
    if (answer === 'unavailable') ledger.unavailable += 1
    // A call that waited while the replica was down may be answered by an older state that was put back meanwhile.
    if (wasNewest && !copyIsNewest()) return answer
    const allowed =
      answer === 'unavailable' || (answer === 'ok' ? !revoked : answer === 'revoked' && known.revocationSent)
    if (!allowed) throw new Error(`a token that was ${revoked ? '' : 'not '}revoked is answered ${answer}: ${known.id}`)
    return answer
  }

  #loop(body: () => Promise<void>, pauseMs: number = PAUSE_MS): void {
    const run = async (): Promise<void> => {
      while (this.#running && this.failure === undefined) {
        try {
          await body()
        } catch (error) {
          if (!this.#options.mayFail?.(error) && !isIndeterminate(error))
            this.failure ??= error instanceof Error ? error : new Error(String(error))
          this.#options.ledger.indeterminate += 1
        }
        await setTimeout(pauseMs)
      }
    }
    this.#loops.push(run())
  }

  async #createOrg(): Promise<void> {
    const { signer, ledger } = this.#options
    const name = `org-${ledger.orgs.length}-${Date.now()}`
    const { position } = await signer.createOrg(name)
    ledger.acknowledged(position)
    ledger.orgs.push(name)
  }

  async #mint(): Promise<void> {
    const { signer, ledger } = this.#options
    const subject = randomBytes(SUBJECT_BYTES).toString('base64url')
    const { token, id, position } = await signer.mint({ org: ORG, subject })
    ledger.acknowledged(position)
    ledger.tokens.push({ token, id, position, revocationSent: false, revoked: false })
  }

  async #revoke(): Promise<void> {
    const { signer, ledger, random } = this.#options
    const known = random.pick(ledger.tokens.slice(-200))
    if (known === undefined || known.revocationSent) return
    known.revocationSent = true
    const { position, durability } = await signer.revoke({ token: known.token })
    if (durability !== 'replica') throw new Error(`a revocation was acknowledged as ${durability}`)
    ledger.acknowledged(position)
    known.revoked = true
    ledger.revoked.push(known)
  }

  async #verifyAny(): Promise<void> {
    const { ledger, random } = this.#options
    const known = random.pick(random.below(2) === 0 ? ledger.tokens : ledger.revoked)
    if (known !== undefined) await this.verify(known)
  }
}

/** A node that is away, or that does not take writes yet, says nothing about what happened. */
function isIndeterminate(error: unknown): boolean {
  return error instanceof MacaroondError && (error.kind === 'unavailable' || error.code === 'closed')
}
