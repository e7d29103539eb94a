/** The replicas of one region: the first that is connected is asked, the next when it fails. */
import type { z } from 'zod'
import type { Identity } from '../../shared/channel/identity.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { systemHost, type Host } from '../../shared/service/host.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import type { Mark } from '../../shared/freshness/mark.ts'
import { type ExplainResult, KNOWS_AGE, type VerifyParams, type VerifyResult } from '../../shared/protocol/verify.ts'
import { explainResult, verifyResult } from '../../shared/protocol/verify-answer.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import type { HomeRegion } from './region.ts'
import type { WorkerVerdict } from './public-types.ts'

export interface ReplicaPoolOptions {
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  readonly identity: Identity
  readonly region: HomeRegion
  /** PeerId of the replica to ask first, if there is one. */
  readonly preferred?: () => string | undefined
  /** Is shown every answer, also one that says nothing of the token. */
  readonly onAnswer?: (answer: VerifyResult, asked: ClockReading) => void
  readonly now?: () => ClockReading
  readonly host?: Host
}

export interface Question {
  readonly token: string
  readonly access: Access
  readonly peer?: string | undefined
  readonly minPosition?: string | undefined
  readonly minimum?: Mark | undefined
}

export interface QuestionLimits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

interface Member {
  readonly peerId: string
  readonly client: PersistentClient
}

interface Turn {
  readonly peerId: string
  readonly client: PersistentClient
  readonly options: CallOptions
}

export class ReplicaPool {
  readonly #options: ReplicaPoolOptions
  readonly #host: Host
  readonly #members: readonly Member[]
  #closed = false

  constructor(options: ReplicaPoolOptions) {
    this.#options = options
    const { cluster, replicas, identity, region, host = systemHost } = options
    this.#host = host
    this.#members = replicas.map(({ address, peerId }) => {
      const admit = (welcome: JsonObject): void => region.admit(peerId, welcome)
      const pinned = parsePeerId(peerId)
      const hello = { understands: [KNOWS_AGE] }
      const common = { address, peerId: pinned, identity, cluster, hello, admit, host }
      const client = new PersistentClient({ ...common, channel: 'verify' })
      return { peerId, client }
    })
  }

  /** Asks one after the other until one of them knows; `unavailable` when none does. */
  async verify(question: Question, limits: QuestionLimits): Promise<WorkerVerdict> {
    let unavailable: WorkerVerdict | undefined
    for (const turn of this.#turns(limits)) {
      const verdict = await this.#tryOne(turn, question, limits.signal)
      if (verdict.ok || verdict.reason !== 'unavailable') return verdict
      // What a replica itself says of it tells more than that another one could not be reached.
      if (unavailable?.node === undefined || verdict.node !== undefined) unavailable = verdict
    }
    return unavailable ?? refused('unavailable', nobodyAnswered(limits))
  }

  /** Asks the first replica that answers. Rejects where none does. */
  async explain(question: Question, limits: QuestionLimits): Promise<ExplainResult> {
    let failure: MacaroondError | undefined
    for (const { client, options } of this.#turns(limits)) {
      try {
        return answerOf(explainResult, await client.call('explain', question, options))
      } catch (error) {
        failure = this.#nextOrThrow(error, limits.signal)
      }
    }
    throw failure ?? new MacaroondError('timeout', nobodyAnswered(limits))
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#members.map(({ client }) => client.close()))
  }

  async #tryOne(
    { client, peerId, options }: Turn,
    question: Question,
    signal: AbortSignal | undefined,
  ): Promise<WorkerVerdict> {
    const { now, onAnswer } = this.#options
    const asked = now?.()
    try {
      // Who answers is proven by the channel, whatever the answer says.
      const answer = { ...(await ask(client, question, options)), node: peerId }
      if (asked !== undefined) onAnswer?.(answer, asked)
      const { ageMs: _, ...verdict } = answer
      return verdict
    } catch (error) {
      return refused('unavailable', this.#nextOrThrow(error, signal).message)
    }
  }

  /** What says nothing of the token, but of the way to the replica: another one may answer. */
  #nextOrThrow(error: unknown, signal: AbortSignal | undefined): MacaroondError {
    if (!(error instanceof MacaroondError)) throw error
    // Only this side closes a call: a replica that says `closed` is going away.
    if (error.code === 'closed' && (this.#closed || signal?.aborted === true)) throw error
    if (error.kind === 'unavailable' || error.kind === 'denied' || error.code === 'protocol_violation') return error
    throw error
  }

  /** One that hangs gets its share of the time, and leaves theirs to the others. */
  *#turns({ timeoutMs, signal }: QuestionLimits): Generator<Turn> {
    const { clock } = this.#host
    const untilMs = clock.monotonicMs() + timeoutMs
    for (const [index, { client, peerId }] of this.#inOrder().entries()) {
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) return
      const shareMs = Math.ceil(leftMs / (this.#members.length - index))
      yield { client, peerId, options: { timeoutMs: shareMs, ...(signal === undefined ? {} : { signal }) } }
    }
  }

  /** The one that feeds the cache, then those that are connected, otherwise as configured; another region comes last. */
  #inOrder(): readonly Member[] {
    const { region, preferred } = this.#options
    const first = preferred?.()
    const rank = ({ peerId, client }: Member): number =>
      (region.isForeign(peerId) ? 4 : 0) + (client.connected ? 0 : 2) + (peerId === first ? 0 : 1)
    return this.#members.toSorted((a, b) => rank(a) - rank(b))
  }
}

function nobodyAnswered({ timeoutMs }: QuestionLimits): string {
  return `no replica answered within ${timeoutMs} ms`
}

/** A call that was lost with its connection is made once more: judging a token twice changes nothing. */
async function ask(client: PersistentClient, params: VerifyParams, options: CallOptions): Promise<VerifyResult> {
  const call = async (): Promise<VerifyResult> => answerOf(verifyResult, await client.call('verify', params, options))
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'connection_lost') throw error
    return call()
  }
}

/** Throws protocol_violation: nothing is guessed of what is no answer. */
function answerOf<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const what = `${issue?.path.join('.') || 'its form'}: ${issue?.message ?? 'not valid'}`
  throw new MacaroondError('protocol_violation', `a replica gave an answer that is none: ${what}`, {
    hint: 'both sides should run versions of macaroond that speak the same protocol',
  })
}
