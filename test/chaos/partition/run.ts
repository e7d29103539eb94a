/** One run: a testbed under load, faults one after the other, then a time without faults. Returns the history for the checker. */
import { FRESHNESS_DEFAULTS, revocationBoundMs } from '../../../shared/freshness/bound.ts'
import type { Bounds } from '../../history/check.ts'
import type { HistoryEvent, VerifyEvent } from '../../history/event.ts'
import { Random } from '../random.ts'
import { Load } from './load.ts'
import type { Fault } from './nemesis.ts'
import { Testbed, type TestbedOptions } from './testbed.ts'

export interface RunOptions extends TestbedOptions {
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly say?: (line: string) => void
  /** A run that looks for one bug need not see the other side of every bound: it ends as soon as it has. */
  readonly brief?: Brief
}

export interface Brief {
  /** How long at most before the first fault, and after each. */
  readonly settleMs: number
  readonly until: (events: readonly HistoryEvent[]) => boolean
}

/** A ping's interval, and what two busy cores delay. */
const LEASE_SURELY_LEFT = 0.4
const LOOK_EVERY_MS = 500

export function boundsFor(leaseMs: number): Bounds {
  const revocationMs = revocationBoundMs({ ...FRESHNESS_DEFAULTS, lease_ms: leaseMs })
  return { revocationMs, leaseMs: revocationMs, surelyLeasedMs: leaseMs * LEASE_SURELY_LEFT }
}

/** The history, by the time of the answers. */
export async function runPartitions(options: RunOptions): Promise<readonly HistoryEvent[]> {
  const { seed, faults, leaseMs, brief, say = () => undefined } = options
  const { revocationMs } = boundsFor(leaseMs)
  const [settleMs, watchMs] = [brief?.settleMs ?? 1.5 * revocationMs, (brief === undefined ? 2.5 : 1.5) * revocationMs]
  const testbed = await Testbed.create(options)
  say(`seed ${seed}; hosts are ${testbed.network.kind}; L = ${leaseMs} ms, B = ${revocationMs} ms`)
  const watch = setInterval(() => brief?.until(testbed.events) === true && testbed.seen.abort(), LOOK_EVERY_MS)
  try {
    const load = await Load.start(testbed, { random: new Random(seed), watchMs })
    if (faults.length > 0) await warm(testbed)
    await testbed.pause(settleMs)
    for (const fault of faults) {
      if (testbed.seen.signal.aborted) break
      say(`${fault.kind}: ${fault.target}`)
      testbed.events.push(...(await fault.inject(testbed)))
      // Fresh again, and what was revoked meanwhile seen past its bound, before the next one.
      await testbed.pause(settleMs)
    }
    await load.stop()
    return timeOrdered(testbed.events)
  } finally {
    clearInterval(watch)
    await testbed.close()
  }
}

/** Every cache has something in it before anything goes wrong, however slowly the machine starts. */
export async function warm(testbed: Testbed): Promise<void> {
  const caching = testbed.services.filter(({ options }) => options.cache).map(({ options }) => options.name)
  for (let left = WARMING_MS_MAX / WARMING_LOOK_MS; left > 0; left -= 1) {
    const hits = Map.groupBy(testbed.events.filter(isHit), ({ proc }) => proc)
    if (caching.every((name) => (hits.get(name)?.length ?? 0) >= WARM_HITS)) return
    await testbed.pause(WARMING_LOOK_MS)
  }
}

const WARM_HITS = 50
const WARMING_LOOK_MS = 100
const WARMING_MS_MAX = 10_000

function isHit(event: HistoryEvent): event is VerifyEvent {
  return event.t === 'verify' && event.cached === true && event.result === 'allow'
}

export function timeOrdered(events: readonly HistoryEvent[]): readonly HistoryEvent[] {
  const end = (event: HistoryEvent): number => (event.t === 'fault' ? event.until : event.ret)
  return events.toSorted((a, b) => end(a) - end(b))
}
