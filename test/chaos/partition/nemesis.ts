/**
 * What is done to a cluster while it works: one fault at a time, from its beginning to its end, with what shows that it
 * bit. A fault of a region's link isolates its replica and all its services; one of a service's link only them.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultEvent, FaultKind } from '../../history/event.ts'
import type { Direction } from '../network/network.ts'
import type { Asker } from './asker.ts'
import { monotonicMs } from './clock.ts'
import { type Region, servicesOf, type Stage } from './stage.ts'

export interface Fault {
  readonly kind: FaultKind
  readonly target: string
  /** Resolves when it is over. */
  readonly inflict: (stage: Stage) => Promise<readonly FaultEvent[]>
}

/** The second begins so much after the first, and may end before it. */
export function meanwhile(first: Fault, second: Fault, afterMs: number): Fault {
  const inflict = async (stage: Stage): Promise<readonly FaultEvent[]> => {
    const later = delay(afterMs).then(() => second.inflict(stage))
    const events = await Promise.all([first.inflict(stage), later])
    return events.flat()
  }
  return { kind: first.kind, target: `${first.target}, meanwhile ${second.kind}: ${second.target}`, inflict }
}

const DIRECTIONS = {
  'cut both ways': 'both',
  'cut towards the replica': 'in',
  'cut towards the primary': 'out',
} as const
type CutKind = keyof typeof DIRECTIONS

/** Between the primary and a region. */
export function cutRegion(kind: CutKind, region: Region, ms: number): Fault {
  const direction: Direction = DIRECTIONS[kind]
  return during(kind, region, async (stage) => {
    const { network } = stage
    network.cut({ at: region, other: 'primary', direction })
    await stage.pause(ms)
    return () => network.heal(region)
  })
}

/** Between a region's replica and its services. */
export function cutServices(kind: CutKind, region: Region, ms: number): Fault {
  const direction: Direction = DIRECTIONS[kind]
  const services = servicesOf(region)
  return during(kind, services, async (stage) => {
    const { network } = stage
    network.cut({ at: services, other: region, direction })
    await stage.pause(ms)
    return () => network.heal(services)
  })
}

/** Whatever a replica answers its services comes so much later; after the end all that is on its way comes at once. */
export function slowServices(region: Region, delayMs: number, ms: number): Fault {
  return during('slow link', servicesOf(region), (stage) => slowed(stage, region, delayMs, ms))
}

/**
 * As behind a queue that grows: no answer is so much later than the one before that somebody would give up. The last
 * delay is longer than a lease, and what comes with it counts no more.
 */
export function everSlower(region: Region, delaysMs: readonly number[], lastMs: number): Fault {
  const [target, last = 0] = [servicesOf(region), delaysMs.at(-1)]
  const late = during('delivered late', target, (stage) => slowed(stage, region, last, lastMs))
  const inflict = async (stage: Stage): Promise<readonly FaultEvent[]> => {
    for (const delayMs of delaysMs.slice(0, -1)) {
      stage.lateLinks.get(region)?.delay(delayMs)
      await stage.pause(STEP_MS)
    }
    return late.inflict(stage)
  }
  return { kind: late.kind, target, inflict }
}

/** A few pings, so that every delay is seen. */
const STEP_MS = 400

async function slowed(stage: Stage, region: Region, delayMs: number, ms: number): Promise<() => Promise<number>> {
  const link = stage.lateLinks.get(region)
  link?.delay(delayMs)
  await stage.pause(ms)
  return async () => (await link?.heal()) ?? 0
}

export function flap(region: Region, periodMs: number, times: number): Fault {
  return during('flapping', region, async ({ network }) => {
    let dropped = 0
    for (let turn = 0; turn < times; turn += 1) {
      network.cut({ at: region, other: 'primary', direction: 'both' })
      await delay(periodMs / 2)
      dropped += network.heal(region)
      await delay(periodMs / 2)
    }
    return () => dropped
  })
}

/** A process that stands still, and then goes on as if nothing had been. */
export function stop(target: string, ms: number): Fault {
  return during('stopped', target, async (stage) => {
    const signal = (name: NodeJS.Signals): void => signalOf(stage, target, name)
    signal('SIGSTOP')
    await stage.pause(ms)
    const stood = stateOf(stage, target) === 'T'
    signal('SIGCONT')
    return () => (stood ? 1 : 0)
  })
}

/** Killed so many times, each time away for so long. */
export function kill(target: string, awayMs: number, times: number = 1): Fault {
  return during('killed', target, async (stage) => {
    for (let left = times; left > 0; left -= 1) {
      await end(stage, target)
      await delay(awayMs)
      await begin(stage, target)
    }
    return () => times
  })
}

export async function end(stage: Stage, target: string): Promise<void> {
  await (askerOf(stage, target)?.kill() ?? stage.killNode(target))
}

/** Resolves when it serves. */
export async function begin(stage: Stage, target: string): Promise<void> {
  await (askerOf(stage, target)?.start() ?? stage.startNode(target))
}

function askerOf({ askers }: Stage, target: string): Asker | undefined {
  return askers.find(({ options }) => options.name === target)
}

export function moveWallClock(target: string, seconds: number, ms: number): Fault {
  return during('wall clock moved', target, async (stage) => {
    const clock = stage.clocks.get(target)
    clock?.move(seconds)
    await stage.pause(ms)
    clock?.move(0)
    return () => (clock === undefined || Object.keys(clock.env).length === 0 ? 0 : 1)
  })
}

export type Inflict = (stage: Stage) => Promise<() => number | Promise<number>>

/** An interval in which `work` lasts, with what shows that it bit. */
export function during(kind: FaultKind, target: string, work: Inflict): Fault {
  const inflict = async (stage: Stage): Promise<readonly FaultEvent[]> => {
    const from = monotonicMs()
    const end = await work(stage)
    // Taken before the heal: whatever comes after it may be fresh again.
    const until = monotonicMs()
    return [{ t: 'fault', kind, target, from, until, effect: await end() }]
  }
  return { kind, target, inflict }
}

export function pidOf(stage: Stage, target: string): number {
  return askerOf(stage, target)?.pid ?? stage.node(target).pid
}

function signalOf(stage: Stage, target: string, signal: NodeJS.Signals): void {
  process.kill(pidOf(stage, target), signal)
}

/** `T` for one that was stopped (proc(5), the third field of stat). */
function stateOf(stage: Stage, target: string): string {
  const stat = readFileSync(`/proc/${pidOf(stage, target)}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
}
