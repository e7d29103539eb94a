/** One run: a stage, load on it, faults one after the other, quiet at the end; then the history is judged. */
import { setTimeout as delay } from 'node:timers/promises'
import { FRESHNESS_DEFAULTS, revocationBoundMs } from '../../../shared/freshness/bound.ts'
import type { Bounds } from '../../history/check.ts'
import type { HistoryEvent } from '../../history/event.ts'
import { Random } from '../random.ts'
import { Load } from './load.ts'
import type { Fault } from './nemesis.ts'
import { Stage, type StageOptions } from './stage.ts'

export interface RunOptions extends StageOptions {
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly say?: (line: string) => void
  /** A run that looks for one bug under its fault need not see the other side of every bound. */
  readonly brief?: boolean
}

/** A ping's interval, and what two busy cores delay. */
const LEASE_SURELY_LEFT = 0.4

export function boundsFor(leaseMs: number): Bounds {
  const revocationMs = revocationBoundMs({ ...FRESHNESS_DEFAULTS, lease_ms: leaseMs })
  return { revocationMs, leaseMs: revocationMs, surelyLeasedMs: leaseMs * LEASE_SURELY_LEFT }
}

/** The history, by the time of the answers. */
export async function runPartitions(options: RunOptions): Promise<readonly HistoryEvent[]> {
  const { seed, faults, leaseMs, brief = false, say = () => undefined } = options
  const { revocationMs } = boundsFor(leaseMs)
  const [settleMs, watchMs] = brief ? [1_000, 500] : [1.5 * revocationMs, 2.5 * revocationMs]
  const stage = await Stage.set(options)
  say(`seed ${seed}; hosts are ${stage.network.kind}; L = ${leaseMs} ms, B = ${revocationMs} ms`)
  try {
    const load = await Load.start(stage, { random: new Random(seed), watchMs })
    await delay(settleMs)
    for (const fault of faults) {
      say(`${fault.kind}: ${fault.target}`)
      stage.events.push(...(await fault.inflict(stage)))
      // Fresh again, and what was revoked meanwhile seen past its bound, before the next one.
      await delay(settleMs)
    }
    await load.stop()
    return timeOrdered(stage.events)
  } finally {
    await stage.strike()
  }
}

function timeOrdered(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const end = (event: HistoryEvent): number => (event.t === 'fault' ? event.until : event.ret)
  return events.toSorted((a, b) => end(a) - end(b))
}
