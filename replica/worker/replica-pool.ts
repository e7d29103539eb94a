/** The replicas of one region: the first that is connected is asked, the next when it fails. */
import type { Identity } from '../../shared/channel/identity.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import type { JsonObject } from '../../shared/channel/json.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { systemHost, type Host } from '../../shared/host.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Mark } from '../../shared/freshness/mark.ts'
import type { ExplainResult, VerifyParams, VerifyResult } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import type { HomeRegion } from './region.ts'
import type { WorkerVerdict } from './sdk.ts'

export interface ReplicaPoolOptions {
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  readonly identity: Identity
  readonly region: HomeRegion
  /** PeerId of the replica to ask first, if there is one. */
  readonly preferred?: () => string | undefined
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
  readonly client: PersistentClient
  readonly options: CallOptions
}

export class ReplicaPool {
  readonly #options: ReplicaPoolOptions
  readonly #host: Host
  readonly #members: readonly Member[]

  constructor(options: ReplicaPoolOptions) {
    this.#options = options
    const { cluster, replicas, identity, region, host = systemHost } = options
    this.#host = host
    this.#members = replicas.map(({ address, peerId }) => {
      const admit = (welcome: JsonObject): void => region.admit(peerId, welcome)
      const pinned = parsePeerId(peerId)
      const client = new PersistentClient({
        address,
        peerId: pinned,
        identity,
        cluster,
        channel: 'verify',
        admit,
        host,
      })
      return { peerId, client }
    })
  }

  /** Asks one after the other until one of them knows; `unavailable` when none does. */
  async verify(question: Question, limits: QuestionLimits): Promise<WorkerVerdict> {
    let unavailable: WorkerVerdict | undefined
    for (const { client, options } of this.#turns(limits)) {
      const verdict = await tryOne(client, question, options)
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
        // The answer comes from the pinned replica; its shape is the protocol's.
        return (await client.call('explain', question, options)) as ExplainResult
      } catch (error) {
        failure = nextOrThrow(error)
      }
    }
    throw failure ?? new MacaroondError('timeout', nobodyAnswered(limits))
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(({ client }) => client.close()))
  }

  /** One that hangs gets its share of the time, and leaves theirs to the others. */
  *#turns({ timeoutMs, signal }: QuestionLimits): Generator<Turn> {
    const { clock } = this.#host
    const untilMs = clock.monotonicMs() + timeoutMs
    for (const [index, { client }] of this.#inOrder().entries()) {
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) return
      const shareMs = Math.ceil(leftMs / (this.#members.length - index))
      yield { client, options: { timeoutMs: shareMs, ...(signal === undefined ? {} : { signal }) } }
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

async function tryOne(client: PersistentClient, question: Question, options: CallOptions): Promise<WorkerVerdict> {
  try {
    return await ask(client, question, options)
  } catch (error) {
    return refused('unavailable', nextOrThrow(error).message)
  }
}

/** A call that was lost with its connection is made once more: judging a token twice changes nothing. */
async function ask(client: PersistentClient, params: VerifyParams, options: CallOptions): Promise<VerifyResult> {
  // The answer comes from the pinned replica; its shape is the protocol's.
  const call = (): Promise<VerifyResult> => client.call('verify', params, options) as Promise<VerifyResult>
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'connection_lost') throw error
    return call()
  }
}

/** What says nothing of the token, but of the way to the replica: another one may answer. */
function nextOrThrow(error: unknown): MacaroondError {
  if (!(error instanceof MacaroondError)) throw error
  const ofTheWay = error.kind === 'unavailable' || error.kind === 'denied'
  if (ofTheWay && error.code !== 'closed') return error
  throw error
}
