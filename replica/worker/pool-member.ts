/** One replica of the pool: its connection, and whether it could judge a token when it was last asked. */
import { dialKind } from '../../shared/channel/handshake-error.ts'
import type { PersistentClientOptions } from '../../shared/channel/persistent-client.ts'
import type { CallOptions } from '../../shared/channel/rpc-client.ts'
import type { Clock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { verifyResult } from '../../shared/protocol/verify-answer.ts'
import type { ReplicaClient } from './links.ts'
import { problemOf, type ReplicaProblem } from './replica-problem.ts'

export type MemberCallbacks = Required<Pick<PersistentClientOptions, 'admit' | 'onChange'>>

export interface PoolMemberOptions {
  readonly address: string
  readonly peerId: string
  /** Index in the option `replicas`. */
  readonly index: number
  readonly open: (callbacks: MemberCallbacks) => ReplicaClient
  readonly admit: MemberCallbacks['admit']
  readonly isForeign: () => boolean
  /** Called while the replica is not connected. */
  readonly onAway: () => void
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Called after anything has changed that this object reports. */
  readonly onChange: () => void
}

/** What the replica said when it was last asked. `error` is undefined if it could judge. */
interface Standing {
  readonly error: MacaroondError | undefined
  readonly atMs: number
}

/** An answer that is older says nothing about the present. It is asked for more often than this. */
const STANDING_MS_MAX = 4_000

/** No token: a replica that can judge refuses it, and one that cannot answers `unavailable`. */
const PROBE = { token: '', access: {} }

export class PoolMember {
  readonly address: string
  readonly peerId: string
  readonly client: ReplicaClient
  readonly #options: PoolMemberOptions
  #standing: Standing | undefined
  #probing = false

  constructor(options: PoolMemberOptions) {
    this.#options = options
    this.address = options.address
    this.peerId = options.peerId
    this.client = options.open({ admit: options.admit, onChange: () => this.#connectionChanged() })
  }

  /** True if the replica is connected, and could judge a token when it was last asked, not long ago. */
  get serves(): boolean {
    if (!this.client.connected || this.#standing === undefined) return false
    return this.#standing.error === undefined && this.unaskedMs <= STANDING_MS_MAX
  }

  /** True if the replica refuses this verifier, or is another node than the pinned one: a retry cannot help. */
  get refuses(): boolean {
    const { connected, error } = this.client
    if (connected || error === undefined) return false
    const kind = dialKind(error)
    return kind === 'denied' || kind === 'conflict'
  }

  /** Null while the replica serves, and before anything is known about it. */
  get problem(): ReplicaProblem | null {
    const error = this.client.connected ? this.#standing?.error : this.client.error
    return error === undefined ? null : this.problemOf(error)
  }

  problemOf(error: MacaroondError, channel: ReplicaProblem['channel'] = 'verify'): ReplicaProblem {
    const { address, index, isForeign } = this.#options
    return problemOf(error, { address, channel, index, foreign: isForeign() })
  }

  /** Milliseconds since the replica was last asked whether it can judge; infinite if never on this connection. */
  get unaskedMs(): number {
    return this.#options.clock.monotonicMs() - (this.#standing?.atMs ?? -Infinity)
  }

  /** Notes that the replica judged a token. Its `unavailable` says nothing here, because it may concern that token alone. */
  judged(): void {
    this.#stand(undefined)
  }

  /** Asks the replica whether it can judge tokens now. Never rejects. */
  async probe(options: CallOptions): Promise<void> {
    if (this.#probing || !this.client.connected) return
    this.#probing = true
    try {
      this.#stand(unavailableIn(await this.client.call('verify', PROBE, options)))
    } catch (error) {
      if (error instanceof MacaroondError && this.client.connected) this.#stand(error)
    } finally {
      this.#probing = false
    }
  }

  #stand(error: MacaroondError | undefined): void {
    const before = this.#standing
    this.#standing = { error, atMs: this.#options.clock.monotonicMs() }
    if (before === undefined || before.error?.message !== error?.message) this.#options.onChange()
  }

  #connectionChanged(): void {
    if (!this.client.connected) {
      this.#standing = undefined
      this.#options.onAway()
    }
    this.#options.onChange()
  }
}

/** The error that an answer to the probe amounts to; undefined if the replica can judge. */
function unavailableIn(answer: unknown): MacaroondError | undefined {
  const { data: verdict } = verifyResult.safeParse(answer)
  if (verdict === undefined || verdict.ok)
    return new MacaroondError('protocol_violation', 'the replica gave a malformed answer')
  if (verdict.reason !== 'unavailable') return undefined
  return new MacaroondError('replica_unavailable', verdict.message, {
    hint: 'check this replica and its connection to the primary: `macaroond status` shows both',
  })
}
