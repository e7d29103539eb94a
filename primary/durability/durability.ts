/**
 * When a revocation counts as durable (S7): on a replica's disk, in the archive, or, where neither is asked for, on the
 * primary's disk alone. Not there in time, the answer is that nothing is known; or, in degraded mode, that it is less than
 * was asked for, and status says so until one is durable again.
 */
import type { DurabilityLevel } from '../../shared/database/meta.ts'
import type { Clock, Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { REVOKE_DURABLE_TIMEOUT_MS } from '../../shared/limits.ts'
import type { Position } from '../../shared/position.ts'
import type { Reached } from '../../shared/protocol/revoke.ts'
import type { DurabilityStatus } from '../../shared/protocol/status.ts'

export interface DurabilitySettings {
  /** Undefined: `replica` once one is configured, else `local`. */
  readonly revocations?: DurabilityLevel | undefined
  /** Answer with what there is after 2 s, and say so, instead of with an error. */
  readonly degraded: boolean
}

/** Calls back once it is there; the returned function stops waiting. */
type Wait = (number: number, resolve: () => void) => () => void

export interface DurabilityOptions {
  readonly settings: DurabilitySettings
  readonly hasReplicas: () => boolean
  /** Until a replica has the revocation of this number on its disk. */
  readonly acknowledged: Wait
  /** Until the archive has this transaction. */
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

  /** What a revocation must reach before `--wait durable` answers. */
  get level(): DurabilityLevel {
    const { settings, hasReplicas } = this.#options
    return requiredLevel(settings, hasReplicas())
  }

  status(): DurabilityStatus {
    const { degraded } = this.#options.settings
    const degradedSinceMs = this.#degradedSinceMs ?? null
    return { revocations: this.level, degraded, degradedSinceMs, degradedAnswers: this.#degradedAnswers }
  }

  /** Throws position_unreached: what was written is on the primary's disk, and nobody knows of more. */
  async reach(seq: number, { txid }: Position): Promise<Reached> {
    const { settings, clock } = this.#options
    const { level } = this
    if (level === 'local' || (await this.#within(level, level === 'replica' ? seq : txid))) {
      this.#degradedSinceMs = undefined
      return { durability: level }
    }
    if (!settings.degraded) throw notDurable(seq, level)
    this.#degradedSinceMs ??= clock.wallMs()
    this.#degradedAnswers += 1
    return { durability: 'local', degraded: true }
  }

  async #within(level: 'replica' | 'archive', number: number): Promise<boolean> {
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
  const nobody = level === 'replica' ? 'no replica has confirmed it' : 'it is not in the archive'
  const message = `revocation ${seq} is on the primary's disk, but ${nobody} within ${REVOKE_DURABLE_TIMEOUT_MS} ms`
  const when = level === 'replica' ? 'a replica is there' : 'the archive can be reached'
  return new MacaroondError('position_unreached', message, {
    hint: `it will be sent as soon as ${when}; ask again, or use --wait local to accept that`,
  })
}
