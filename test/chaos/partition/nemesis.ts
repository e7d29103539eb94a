/**
 * The faults of a cluster under load. Each lasts from its beginning to its end, and records evidence that it took effect. A fault of a region's link isolates its replica and all its services; one of a service's link only them.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultEvent, FaultKind } from '../../history/event.ts'
import type { Direction } from '../network/network.ts'
import type { ServiceProcess } from './service-process.ts'
import { monotonicMs } from './clock.ts'
import { type Region, servicesOf, type Testbed } from './testbed.ts'

export interface Fault {
  readonly kind: FaultKind
  readonly target: string
  /** Resolves when it is over. */
  readonly inject: (testbed: Testbed) => Promise<readonly FaultEvent[]>
}

/** The second begins so much after the first, and may end before it. */
export function meanwhile(first: Fault, second: Fault, afterMs: number): Fault {
  const inject = async (testbed: Testbed): Promise<readonly FaultEvent[]> => {
    const later = delay(afterMs).then(() => second.inject(testbed))
    const events = await Promise.all([first.inject(testbed), later])
    return events.flat()
  }
  return { kind: first.kind, target: `${first.target}, meanwhile ${second.kind}: ${second.target}`, inject }
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
  return during(kind, region, async (testbed) => {
    const { network } = testbed
    network.cut({ at: region, other: 'primary', direction })
    await testbed.pause(ms)
    return () => network.heal(region)
  })
}

/** Between a region's replica and its services. */
export function cutServices(kind: CutKind, region: Region, ms: number): Fault {
  const direction: Direction = DIRECTIONS[kind]
  const services = servicesOf(region)
  return during(kind, services, async (testbed) => {
    const { network } = testbed
    network.cut({ at: services, other: region, direction })
    await testbed.pause(ms)
    return () => network.heal(services)
  })
}

/** Whatever a replica answers its services comes so much later; after the end all that is on its way comes at once. */
export function slowServices(region: Region, delayMs: number, ms: number): Fault {
  return during('slow link', servicesOf(region), (testbed) => slowed(testbed, region, delayMs, ms))
}

/**
 * As behind a queue that grows: no answer is so much later than the one before that somebody would give up. The last
 * delay is longer than a lease, and what comes with it counts no more.
 */
export function everSlower(region: Region, delaysMs: readonly number[], lastMs: number): Fault {
  const [target, last = 0] = [servicesOf(region), delaysMs.at(-1)]
  const late = during('delivered late', target, (testbed) => slowed(testbed, region, last, lastMs))
  const inject = async (testbed: Testbed): Promise<readonly FaultEvent[]> => {
    for (const delayMs of delaysMs.slice(0, -1)) {
      testbed.lateLinks.get(region)?.delay(delayMs)
      await testbed.pause(STEP_MS)
    }
    return late.inject(testbed)
  }
  return { kind: late.kind, target, inject }
}

/** A few pings, so that every delay is seen. */
const STEP_MS = 400

async function slowed(testbed: Testbed, region: Region, delayMs: number, ms: number): Promise<() => Promise<number>> {
  const link = testbed.lateLinks.get(region)
  link?.delay(delayMs)
  await testbed.pause(ms)
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
  return during('stopped', target, async (testbed) => {
    const signal = (name: NodeJS.Signals): void => signalOf(testbed, target, name)
    signal('SIGSTOP')
    await testbed.pause(ms)
    const stood = stateOf(testbed, target) === 'T'
    signal('SIGCONT')
    return () => (stood ? 1 : 0)
  })
}

/** Killed so many times, each time away for so long. */
export function kill(target: string, awayMs: number, times: number = 1): Fault {
  return during('killed', target, async (testbed) => {
    for (let left = times; left > 0; left -= 1) {
      await end(testbed, target)
      await delay(awayMs)
      await begin(testbed, target)
    }
    return () => times
  })
}

export async function end(testbed: Testbed, target: string): Promise<void> {
  await (serviceNamed(testbed, target)?.kill() ?? testbed.killNode(target))
}

/** Resolves when it serves. */
export async function begin(testbed: Testbed, target: string): Promise<void> {
  await (serviceNamed(testbed, target)?.start() ?? testbed.startNode(target))
}

function serviceNamed({ services }: Testbed, target: string): ServiceProcess | undefined {
  return services.find(({ options }) => options.name === target)
}

export function moveWallClock(target: string, seconds: number, ms: number): Fault {
  return during('wall clock moved', target, async (testbed) => {
    const clock = testbed.clocks.get(target)
    clock?.move(seconds)
    await testbed.pause(ms)
    clock?.move(0)
    return () => (clock === undefined || Object.keys(clock.env).length === 0 ? 0 : 1)
  })
}

export type Injection = (testbed: Testbed) => Promise<() => number | Promise<number>>

/** An interval in which `work` lasts, with what shows that it took effect. */
export function during(kind: FaultKind, target: string, work: Injection): Fault {
  const inject = async (testbed: Testbed): Promise<readonly FaultEvent[]> => {
    const from = monotonicMs()
    const end = await work(testbed)
    // Taken before the heal: whatever comes after it may be fresh again.
    const until = monotonicMs()
    return [{ t: 'fault', kind, target, from, until, effect: await end() }]
  }
  return { kind, target, inject }
}

export function pidOf(testbed: Testbed, target: string): number {
  return serviceNamed(testbed, target)?.pid ?? testbed.node(target).pid
}

function signalOf(testbed: Testbed, target: string, signal: NodeJS.Signals): void {
  process.kill(pidOf(testbed, target), signal)
}

/** `T` for one that was stopped (proc(5), the third field of stat). */
function stateOf(testbed: Testbed, target: string): string {
  const stat = readFileSync(`/proc/${pidOf(testbed, target)}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
}
