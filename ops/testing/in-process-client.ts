/** A client whose server is in the same process. Calls are encoded and decoded as on the network, and errors too. */
import type { ReplicaClient } from '../../replica/worker/links.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import { answerCall, type RpcMethod } from '../../shared/channel/rpc-server.ts'
import { decodeRequest, decodeResponse, encodeRequest } from '../../shared/channel/rpc.ts'
import { fromReport, MacaroondError } from '../../shared/errors.ts'
import type { PeerIdText } from '../../shared/ids.ts'
import { silentLog } from '../../shared/log.ts'

const HERE = '127.0.0.1'

export class InProcessClient implements ReplicaClient {
  readonly error: undefined
  readonly #methods: ReadonlyMap<string, RpcMethod>
  readonly #peerId: PeerIdText
  readonly #gone = new AbortController()

  /** `peerId` is that of the caller. */
  constructor(peerId: PeerIdText, methods: Readonly<Record<string, RpcMethod>>) {
    this.#peerId = peerId
    this.#methods = new Map(Object.entries(methods))
  }

  get connected(): boolean {
    return !this.#gone.signal.aborted
  }

  async call(method: string, params: unknown, { signal }: CallOptions = {}): Promise<unknown> {
    if (!this.connected) throw new MacaroondError('closed', 'this client is closed')
    if (signal?.aborted === true) throw new MacaroondError('closed', 'the call was cancelled')
    const request = decodeRequest(encodeRequest({ id: 1, method, params }))
    const caller = { peerId: this.#peerId, remoteAddress: HERE, signal: this.#gone.signal }
    const answer = await answerCall(request, { methods: this.#methods, caller, log: silentLog })
    const response = decodeResponse(answer)
    if ('error' in response) throw fromReport(response.error)
    return response.result
  }

  async close(): Promise<void> {
    this.#gone.abort()
  }
}
