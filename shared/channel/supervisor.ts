/** Keeps one connection alive: dials again after a loss, replaces it before it is too old, and stops with its signal. */
import type { Clock, Entropy, Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { CONNECTION_AGE_MS_MAX } from '../limits.ts'
import type { ConnectionLog } from '../service-logger.ts'
import { type Backoff, type BackoffEvent, INITIAL_BACKOFF, stepBackoff } from './backoff.ts'
import type { Connection } from './connection.ts'
import { dialKind } from './handshake-error.ts'
import { Session } from './session.ts'

/** The state that `onState` reports. `error` in `waiting` is the reason of the last failure. */
export type SupervisionState =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'connected'; readonly connection: Connection }
  | { readonly phase: 'waiting'; readonly delayMs: number; readonly error: MacaroondError | undefined }
  | { readonly phase: 'stopped' }

export interface SuperviseOptions {
  readonly dial: (signal: AbortSignal) => Promise<Connection>
  /**
   * Uses the connection until it ends. If `retire` aborts, it finishes the calls in flight and returns. The supervisor then
   * closes the connection. A rejection counts as the loss of the connection.
   */
  readonly run: (connection: Connection, retire: AbortSignal) => Promise<void>
  readonly signal: AbortSignal
  readonly clock: Clock & Timers
  readonly entropy: Entropy
  readonly log: ConnectionLog
  readonly onState?: (state: SupervisionState) => void
  /**
   * True if the server accepts a second connection of this peer and channel. A rotation then dials before it retires the old
   * one.
   */
  readonly overlap?: boolean
  readonly ageMsMax?: number
}

/** Resolves when `signal` aborts and everything is closed. Never rejects. */
export function superviseConnection(options: SuperviseOptions): Promise<void> {
  return new Supervisor(options).run()
}

class Supervisor {
  readonly #options: SuperviseOptions
  #backoff: Backoff = INITIAL_BACKOFF

  constructor(options: SuperviseOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    let session: Session | undefined
    while (!this.#stopped) {
      session ??= await this.#connect()
      if (session === undefined) break
      const outcome = await session.watch(this.#options.signal)
      if (outcome === 'due') session = await this.#rotate(session)
      else if (outcome === 'ended') session = await this.#lost(session)
    }
    await session?.retire()
    this.#options.onState?.({ phase: 'stopped' })
  }

  get #stopped(): boolean {
    return this.#options.signal.aborted
  }

  /** With `overlap` the new connection is dialed first, so that no call waits for a rotation. */
  async #rotate(old: Session): Promise<Session | undefined> {
    this.#options.log.debug('a connection is replaced because of its age')
    if (this.#options.overlap !== true) {
      await old.retire()
      return undefined
    }
    const next = await this.#connect()
    await old.retire()
    return next
  }

  async #lost(session: Session): Promise<undefined> {
    const error = await session.outcome
    await this.#wait({ type: 'lost', code: error?.code }, error)
    return undefined
  }

  async #connect(): Promise<Session | undefined> {
    const { dial, signal, clock, entropy, onState, ageMsMax } = this.#options
    while (!this.#stopped) {
      onState?.({ phase: 'connecting' })
      try {
        const connection = await dial(signal)
        this.#step({ type: 'connected' }, undefined)
        onState?.({ phase: 'connected', connection })
        return new Session({
          connection,
          run: this.#options.run,
          clock,
          uniform: entropy.uniform(),
          ageMsMax: ageMsMax ?? CONNECTION_AGE_MS_MAX,
        })
      } catch (cause) {
        const error = asError(cause)
        if (!this.#stopped) await this.#wait({ type: 'failed', code: error.code, kind: dialKind(error) }, error)
      }
    }
    return undefined
  }

  async #wait(event: BackoffEvent, error: MacaroondError | undefined): Promise<void> {
    const delayMs = this.#step(event, error)
    this.#options.onState?.({ phase: 'waiting', delayMs, error })
    await sleep(this.#options.clock, delayMs, this.#options.signal)
  }

  #step(event: BackoffEvent, error: MacaroondError | undefined): number {
    const { clock, entropy, log } = this.#options
    const { backoff, delayMs, mustLog } = stepBackoff(this.#backoff, event, clock.monotonicMs(), entropy.uniform())
    this.#backoff = backoff
    if (!mustLog) return delayMs
    if (event.type === 'connected') log.debug('connected')
    else log.warn({ code: error?.code, hint: error?.hint, reason: error?.message ?? 'closed' }, 'not connected')
    return delayMs
  }
}

function sleep(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      callOff()
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const callOff = timers.after(delayMs, wake)
    signal.addEventListener('abort', wake)
    if (signal.aborted) wake()
  })
}

function asError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('internal', cause instanceof Error ? cause.message : 'dialing failed', { cause })
}
