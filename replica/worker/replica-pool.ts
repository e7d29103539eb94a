/** The replicas of one region: the first that is connected is asked, the next when it fails. */
import type { Identity } from '../../shared/channel/identity.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { systemHost, type Host } from '../../shared/host.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ExplainResult, VerifyParams, VerifyResult } from '../../shared/protocol/verify.ts'
import type { Access } from '../../shared/verifier/access.ts'
import { refused } from '../../shared/verifier/verdict.ts'
import type { VerifyOptions, WorkerVerdict } from './sdk.ts'

export interface ReplicaPoolOptions {
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  readonly identity: Identity
  readonly timeoutMs: number
  readonly host?: Host
}

export class ReplicaPool {
  readonly #clients: readonly PersistentClient[]
  readonly #timeoutMs: number
  readonly #host: Host

  constructor({ cluster, replicas, identity, timeoutMs, host = systemHost }: ReplicaPoolOptions) {
    this.#host = host
    this.#timeoutMs = timeoutMs
    this.#clients = replicas.map(
      ({ address, peerId }) =>
        new PersistentClient({ address, peerId: parsePeerId(peerId), identity, cluster, channel: 'verify', host }),
    )
  }

  async verify(token: string, access: Access, options: VerifyOptions): Promise<WorkerVerdict> {
    const { minPosition, peer, signal, timeoutMs = this.#timeoutMs } = options
    const { clock } = this.#host
    const untilMs = clock.monotonicMs() + timeoutMs
    const params: VerifyParams = { token, access, minPosition, peer }
    let unavailable: MacaroondError | undefined
    for (const [index, client] of this.#inOrder().entries()) {
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) break
      // A replica that hangs gets its share of the time, and leaves theirs to the others.
      const shareMs = Math.ceil(leftMs / (this.#clients.length - index))
      try {
        return await ask(client, params, { timeoutMs: shareMs, ...(signal === undefined ? {} : { signal }) })
      } catch (error) {
        unavailable = nextOrThrow(error)
      }
    }
    const why = unavailable === undefined ? `no replica answered within ${timeoutMs} ms` : unavailable.message
    return refused('unavailable', why)
  }

  /** Asks the first replica that answers. Rejects where none does. */
  async explain(
    token: string,
    access: Access,
    { minPosition, peer, signal, timeoutMs = this.#timeoutMs }: VerifyOptions,
  ): Promise<ExplainResult> {
    const params: VerifyParams = { token, access, minPosition, peer }
    const options = {
      timeoutMs: Math.ceil(timeoutMs / this.#clients.length),
      ...(signal === undefined ? {} : { signal }),
    }
    let failure: MacaroondError | undefined
    for (const client of this.#inOrder()) {
      try {
        // The answer comes from the pinned replica; its shape is the protocol's.
        return (await client.call('explain', params, options)) as ExplainResult
      } catch (error) {
        failure = nextOrThrow(error)
      }
    }
    throw failure ?? new MacaroondError('timeout', `no replica answered within ${timeoutMs} ms`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  /** Connected ones first, otherwise as configured. */
  #inOrder(): PersistentClient[] {
    return this.#clients.toSorted((a, b) => Number(b.connected) - Number(a.connected))
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
