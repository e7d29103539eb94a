/**
 * Asks the replicas of a region on the `verify` channel. It asks the best one first, by connection and preference, and the next
 * one if that fails. An `unavailable` verdict counts as a failure, so another replica is asked.
 */
import type { z } from 'zod'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { systemHost, type Host } from '../../shared/service/host.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ClockReading } from '../../shared/freshness/clock-reading.ts'
import type { Mark } from '../../shared/freshness/mark.ts'
import { type ExplainResult, KNOWS_AGE, type VerifyParams, type VerifyResult } from '../../shared/protocol/verify.ts'
import { explainResult, verifyResult } from '../../shared/protocol/verify-answer.ts'
import { IN_SENTENCES } from '../../shared/schema-sentences.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import { connectionLog, safeLogger, type ServiceLogger } from '../../shared/service-logger.ts'
import type { ReplicaClient, VerifierLinks } from './links.ts'
import type { HomeRegion } from './region.ts'
import { type MemberCallbacks, PoolMember } from './pool-member.ts'
import { gravest, type ReplicaProblem } from './replica-problem.ts'
import type { WorkerVerdict } from './public-types.ts'

export interface ReplicaPoolOptions {
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  readonly openClient: VerifierLinks['openClient']
  readonly region: HomeRegion
  /** PeerId of the replica to ask first, if there is one. */
  readonly preferred?: () => string | undefined
  /** Called with every answer, including `unavailable`. */
  readonly onAnswer?: (answer: VerifyResult, asked: ClockReading) => void
  /** The worker's clock. Without it, `onAnswer` is never called. */
  readonly now?: () => ClockReading
  readonly host?: Host
  readonly logger?: ServiceLogger
  /** Called after a replica was connected or lost, or its answer to a probe has changed. */
  readonly onChange?: () => void
}

/** A verification, as it is sent to a replica. */
export interface VerifyRequest {
  readonly token: string
  readonly access: Access
  readonly peer?: string | undefined
  readonly minPosition?: string | undefined
  /** The replica must not answer from an older state than this. */
  readonly minimum?: Mark | undefined
}

export interface RequestLimits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** One attempt at one replica, with its share of the time. */
interface Attempt {
  readonly member: PoolMember
  readonly options: CallOptions
}

export class ReplicaPool {
  readonly #options: ReplicaPoolOptions
  readonly #host: Host
  readonly members: readonly PoolMember[]
  #closed = false

  constructor(options: ReplicaPoolOptions) {
    this.#options = options
    const { replicas, region, host = systemHost, onChange = () => undefined } = options
    this.#host = host
    this.members = replicas.map((replica, index) => {
      const { peerId } = replica
      return new PoolMember({
        ...replica,
        index,
        clock: host.clock,
        open: (callbacks) => this.#open(replica, callbacks),
        admit: (welcome) => region.admit(peerId, welcome),
        isForeign: () => region.isForeign(peerId),
        onAway: () => region.away(peerId),
        onChange,
      })
    })
  }

  #open({ address, peerId }: NodeAddress, callbacks: MemberCallbacks): ReplicaClient {
    const { cluster, openClient, logger } = this.#options
    const log = connectionLog(safeLogger(logger), () => ({ address, channel: 'verify' }))
    const common = { address, peerId: parsePeerId(peerId), cluster, log, host: this.#host, ...callbacks }
    return openClient({ ...common, hello: { understands: [KNOWS_AGE] }, channel: 'verify' })
  }

  /** The replica that the next call asks first, if it is connected. */
  get inUse(): PoolMember | undefined {
    const ordered = this.#inOrder().filter(({ client }) => client.connected)
    return ordered.find(({ serves }) => serves) ?? ordered[0]
  }

  /** The problems of all replicas that have one, in their order. */
  get problems(): readonly ReplicaProblem[] {
    return this.members.flatMap(({ problem }) => problem ?? [])
  }

  /** Asks one replica after the other until one gives a verdict. `unavailable` if none does. */
  async verify(request: VerifyRequest, limits: RequestLimits): Promise<WorkerVerdict> {
    let unavailable: WorkerVerdict | undefined
    for (const attempt of this.#attempts(limits)) {
      const verdict = await this.#tryOne(attempt, request, limits.signal)
      if (verdict.ok || verdict.reason !== 'unavailable') {
        attempt.member.judged()
        return verdict
      }
      // A replica's own reason is more useful than an error that another replica could not be reached.
      if (unavailable?.node === undefined || verdict.node !== undefined) unavailable = verdict
    }
    return this.withCause(unavailable ?? refused('unavailable', nobodyAnswered(limits)))
  }

  /** The explanation of the first replica that answers. Rejects if none does. */
  async explain(request: VerifyRequest, limits: RequestLimits): Promise<ExplainResult> {
    let failure: MacaroondError | undefined
    for (const { member, options } of this.#attempts(limits)) {
      try {
        return answerOf(explainResult, await member.client.call('explain', request, options))
      } catch (error) {
        failure = this.#nextOrThrow(error, limits.signal)
      }
    }
    throw failure ?? new MacaroondError('timeout', nobodyAnswered(limits))
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.members.map(({ client }) => client.close()))
  }

  async #tryOne(
    { member, options }: Attempt,
    request: VerifyRequest,
    signal: AbortSignal | undefined,
  ): Promise<WorkerVerdict> {
    const { now, onAnswer } = this.#options
    const asked = now?.()
    try {
      // The channel authenticates the replica, so its PeerId is not taken from the answer.
      const answer = { ...(await ask(member.client, request, options)), node: member.peerId }
      if (asked !== undefined) onAnswer?.(answer, asked)
      const { ageMs: _, ...verdict } = answer
      return verdict
    } catch (error) {
      return refused('unavailable', member.problemOf(this.#nextOrThrow(error, signal)).message)
    }
  }

  /** Adds the cause to a verdict `unavailable`: always a wrong option, and an unreachable replica if none answered. */
  withCause(verdict: WorkerVerdict): WorkerVerdict {
    const cause = gravest(this.problems)
    const isCause = cause !== undefined && (cause.option !== null || verdict.node === undefined)
    return isCause ? { ...verdict, cause } : verdict
  }

  /** Returns the error if it concerns only this replica: another one may be asked. Throws every other error. */
  #nextOrThrow(error: unknown, signal: AbortSignal | undefined): MacaroondError {
    if (!(error instanceof MacaroondError)) throw error
    // `closed` is final only if this side closed the call. From a replica it means that the replica is shutting down.
    if (error.code === 'closed' && (this.#closed || signal?.aborted === true)) throw error
    if (error.kind === 'unavailable' || error.kind === 'denied' || error.code === 'protocol_violation') return error
    throw error
  }

  /** Gives each replica an equal share of the time that is left, so that one that hangs does not use it all. */
  *#attempts({ timeoutMs, signal }: RequestLimits): Generator<Attempt> {
    const { clock } = this.#host
    const untilMs = clock.monotonicMs() + timeoutMs
    for (const [index, member] of this.#inOrder().entries()) {
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) return
      const shareMs = Math.ceil(leftMs / (this.members.length - index))
      yield { member, options: { timeoutMs: shareMs, ...(signal === undefined ? {} : { signal }) } }
    }
  }

  /** Order: this region before others, then connected replicas, then the one that feeds the cache, then as configured. */
  #inOrder(): readonly PoolMember[] {
    const { region, preferred } = this.#options
    const first = preferred?.()
    const rank = ({ peerId, client }: PoolMember): number =>
      (region.isForeign(peerId) ? 4 : 0) + (client.connected ? 0 : 2) + (peerId === first ? 0 : 1)
    return this.members.toSorted((a, b) => rank(a) - rank(b))
  }
}

function nobodyAnswered({ timeoutMs }: RequestLimits): string {
  return `no replica answered within ${timeoutMs} ms`
}

/** Repeats a call once if its connection was lost. That is safe, because judging a token changes nothing. */
async function ask(client: ReplicaClient, params: VerifyParams, options: CallOptions): Promise<VerifyResult> {
  const call = async (): Promise<VerifyResult> => answerOf(verifyResult, await client.call('verify', params, options))
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'connection_lost') throw error
    return call()
  }
}

/** Throws protocol_violation if the answer does not fit the schema. */
function answerOf<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, IN_SENTENCES)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const what = `${issue?.path.join('.') || 'its form'}: ${issue?.message ?? 'is not valid'}`
  throw new MacaroondError('protocol_violation', `a replica gave a malformed answer: ${what}`, {
    hint: 'both sides should run versions of macaroond that speak the same protocol',
  })
}
