/**
 * Waits until a revocation is durable (S7): on a replica's disk, in the archive, or on the primary's disk only, as configured.
 * If that takes too long, the call fails with position_unreached. In degraded mode the call succeeds and reports the lower
 * durability, and `status` shows this until a revocation is durable again.
 */
import type { DurabilityLevel } from '../../shared/database/durability-level.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { REVOKE_DURABLE_TIMEOUT_MS } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { Reached } from '../../shared/protocol/revoke.ts'
import type { DurabilityStatus } from '../../shared/protocol/status.ts'

export interface DurabilitySettings {
  /** Undefined: `replica` once one is configured, else `local`. */
  readonly revocations?: DurabilityLevel | undefined
  /** True if a call that would fail after 2 s succeeds instead, and reports local durability. */
  readonly degraded: boolean
}

/** Calls `resolve` once the number is reached. The returned function stops waiting. */
type Wait = (number: number, resolve: () => void) => () => void

export interface DurabilityOptions {
  readonly settings: DurabilitySettings
  readonly hasReplicas: () => boolean
  /** Waits until a replica has this revocation on its disk. */
  readonly acknowledged: Wait
  /** Waits until the archive has this transaction. */
  readonly archived: Wait
  readonly clock: Pick<Clock, 'wallMs'> & Pick<Timers, 'after'>
}

export class Durability {
  readonly #options: DurabilityOptions
  #degradedSinceMs: number | undefined
  #degradedAnswers = 0

  constructor(options: DurabilityOptions) {
    this.#options = options
  }

  /** The durability that `--wait durable` waits for. */
  get level(): DurabilityLevel {
    const { settings, hasReplicas } = this.#options
    return requiredLevel(settings, hasReplicas())
  }

  status(): DurabilityStatus {
    const { degraded } = this.#options.settings
    const degradedSinceMs = this.#degradedSinceMs ?? null
    return { revocations: this.level, degraded, degradedSinceMs, degradedAnswers: this.#degradedAnswers }
  }

  /** Throws position_unreached. The revocation is then on the primary's disk, and perhaps nowhere else. */
  async reach(seq: number, { txid }: Position): Promise<Reached> {
    const { settings, clock } = this.#options
    const { level } = this
    if (level === 'local' || (await this.#reachedInTime(level, level === 'replica' ? seq : txid))) {
      this.#degradedSinceMs = undefined
      return { durability: level }
    }
    if (!settings.degraded) throw notDurable(seq, level)
    this.#degradedSinceMs ??= clock.wallMs()
    this.#degradedAnswers += 1
    return { durability: 'local', degraded: true }
  }

  async #reachedInTime(level: 'replica' | 'archive', number: number): Promise<boolean> {
    const { acknowledged, archived, clock } = this.#options
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const stop = (level === 'replica' ? acknowledged : archived)(number, () => resolve(true))
    const callOff = clock.after(REVOKE_DURABLE_TIMEOUT_MS, () => resolve(false))
    const reached = await promise
    stop()
    callOff()
    return reached
  }
}

export function requiredLevel({ revocations }: DurabilitySettings, hasReplicas: boolean): DurabilityLevel {
  return revocations ?? (hasReplicas ? 'replica' : 'local')
}

function notDurable(seq: number, level: 'replica' | 'archive'): MacaroondError {
  const missing = level === 'replica' ? 'no replica has confirmed it' : 'it is not in the archive'
  const message = `revocation ${seq} is on the primary's disk, but ${missing} within ${REVOKE_DURABLE_TIMEOUT_MS} ms`
  const when = level === 'replica' ? 'a replica is connected' : 'the archive can be reached'
  return new MacaroondError('position_unreached', message, {
    hint: `the primary sends it as soon as ${when}. Try again then, or use --wait local to accept local durability`,
  })
}
