/**
 * The connections to the primary, one for each purpose. They hold the alarm that is on while the primary's history contradicts
 * this replica's (S10).
 */
import type { Connection } from '../shared/channel/connection.ts'
import { dial } from '../shared/channel/dial.ts'
import type { Identity } from '../shared/channel/identity.ts'
import { parsePeerId } from '../shared/channel/peer-id.ts'
import { superviseConnection, type SupervisionState } from '../shared/channel/supervisor.ts'
import { MacaroondError } from '../shared/errors.ts'
import type { Host } from '../shared/service/host.ts'
import type { Log } from '../shared/log.ts'
import type { RevocationsHello } from '../shared/protocol/revocations.ts'
import type { WalHello } from '../shared/protocol/wal.ts'
import type { ReplicaConfig } from './config.ts'

export type LinkName = 'wal' | 'revocations'

export interface LinkOptions {
  readonly hello: () => WalHello | RevocationsHello
  readonly run: (connection: Connection, retire: AbortSignal) => Promise<void>
  /** Each dial waits for this promise. */
  readonly after?: Promise<void>
}

export interface PrimaryLinksOptions {
  readonly config: Pick<ReplicaConfig, 'cluster' | 'primary'>
  readonly identity: Identity
  readonly host: Host
  readonly log: Log
  /** Called when an alarm goes on. */
  readonly onAlarm: () => void
}

export class PrimaryLinks {
  readonly #options: PrimaryLinksOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  readonly #states = new Map<LinkName, SupervisionState>()
  readonly #alarms = new Map<LinkName, string>()

  constructor(options: PrimaryLinksOptions) {
    this.#options = options
  }

  /**
   * The message while this replica refuses its primary, or its primary refuses it. Each channel has an alarm of its own, so a
   * good welcome on one does not clear the alarm of the other.
   */
  get alarm(): string | undefined {
    return this.#alarms.get('wal') ?? this.#alarms.get('revocations')
  }

  state(name: LinkName): SupervisionState | undefined {
    return this.#states.get(name)
  }

  open(name: LinkName, options: LinkOptions): void {
    const { config, identity, host, log } = this.#options
    const { clock, entropy, transport } = host
    const { address, peer_id } = config.primary
    const peerId = parsePeerId(peer_id)
    this.#running.push(
      superviseConnection({
        dial: async (signal) => {
          await whenReady(options.after, signal)
          return dial({
            address,
            peerId,
            identity,
            channel: name,
            cluster: config.cluster,
            hello: options.hello(),
            signal,
            clock,
            transport,
          })
        },
        run: options.run,
        signal: this.#stop.signal,
        clock,
        entropy,
        log: log.child({ channel: name }),
        onState: (state) => this.#changed(name, state),
      }),
    )
  }

  /** Sets the alarm of a channel. `undefined` clears it: the primary's history on this channel fits the replica's. */
  setDiverged(name: LinkName, message: string | undefined): void {
    if (message === undefined) return void this.#alarms.delete(name)
    this.#alarms.set(name, message)
    this.#options.onAlarm()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  /** Records the state. Sets the alarm if the primary refuses this replica because of its position. */
  #changed(name: LinkName, state: SupervisionState): void {
    this.#states.set(name, state)
    if (state.phase === 'waiting' && state.error?.code === 'position_diverged')
      this.setDiverged(name, state.error.message)
  }
}

/** Resolves with the promise. Throws `closed` if the signal is aborted first. */
async function whenReady(after: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  if (after === undefined) return
  const stopped = new Promise<never>((_, reject) => {
    const stop = (): void => reject(new MacaroondError('closed', 'this replica is stopping'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  })
  await Promise.race([after, stopped])
}
