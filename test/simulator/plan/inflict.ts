/** Carries a plan out: each fault from its beginning to its end, with what shows that it bit. */
import type { FaultEvent } from '../../history/event.ts'
import { REGIONS, servicesOf } from '../nodes/cast.ts'
import { randomFor } from '../time/entropy.ts'
import type { Seat } from '../nodes/seat.ts'
import type { Stage } from '../nodes/stage.ts'
import type { Way } from '../network/network.ts'
import { restoreSomePast } from '../archive/restored.ts'
import { type PlannedFault, STOPPED_FIRST } from './plan.ts'

/** Nobody's: faults come whatever state the cluster is in. */
const FATE = { runsFromMs: (nowMs: number): number => nowMs }

/** Ends the fault; returns how often it bit. */
type End = () => number

export function inflict(stage: Stage, fault: PlannedFault): void {
  const { scheduler, trace, events } = stage
  scheduler.at(fault.atMs, FATE, () => {
    const end = begin(stage, fault)
    if (end === undefined) return
    trace.say('fault', `${fault.kind}: ${fault.target}`)
    scheduler.at(fault.atMs + fault.forMs, FATE, () => {
      const { kind, target } = fault
      const until = scheduler.nowMs
      const event: FaultEvent = { t: 'fault', kind, target, from: fault.atMs, until, effect: end() }
      trace.say('fault', `${kind}: ${target} is over`)
      events.push(event)
    })
  })
}

/** Undefined where it cannot be done now: nobody can be killed twice. */
function begin(stage: Stage, fault: PlannedFault): End | undefined {
  switch (fault.kind) {
    case 'cut both ways':
    case 'cut towards the replica':
    case 'cut towards the primary':
      return cut(stage, waysOf(stage, fault))
    case 'flapping':
      return flap(stage, fault)
    case 'links broken':
      return breakLinks(stage, fault)
    case 'slow link':
      return slow(stage, fault)
    case 'stopped':
      return pause(stage, fault)
    case 'asleep':
      return sleep(stage, fault)
    case 'killed':
      return kill(stage, fault)
    case 'power lost':
      return losePower(stage, fault)
    case 'wall clock moved':
      return moveClock(stage, fault)
    case 'archive away':
    case 'archive answers lost':
    case 'archive lists late':
      return stage.archive?.link.disturb(fault.kind)
    case 'restored':
      return restorePast(stage, fault)
    // Of real disks: what a simulated one fails to do is to keep what was not synced.
    case 'disk error':
    case 'disk full':
      return undefined
  }
}

/** A region's link leads to the primary, its services' to its replica. */
function endsOf(target: string): readonly [string, string] {
  const region = REGIONS.find((name) => servicesOf(name) === target)
  return region === undefined ? [target, 'primary'] : [target, region]
}

function waysOf({ network }: Stage, { kind, target }: PlannedFault): readonly Way[] {
  const [near, far] = endsOf(target)
  const [towards, away] = [network.way(far, near), network.way(near, far)]
  if (kind === 'cut towards the replica') return [towards]
  return kind === 'cut towards the primary' ? [away] : [towards, away]
}

/** Ways may be cut by two faults at once: they are open again when the last of them is over. */
const cutters = new WeakMap<Way, number>()

function cut({ network }: Stage, ways: readonly Way[]): End {
  const before = ways.map(({ stalled }) => stalled)
  for (const way of ways) {
    cutters.set(way, (cutters.get(way) ?? 0) + 1)
    network.cut(way)
  }
  return () => {
    for (const way of ways) {
      const left = (cutters.get(way) ?? 1) - 1
      cutters.set(way, left)
      if (left === 0) network.heal(way)
    }
    return ways.reduce((sum, { stalled }, index) => sum + stalled - (before[index] ?? 0), 0)
  }
}

function flap(stage: Stage, fault: PlannedFault): End {
  const { scheduler } = stage
  const ways = waysOf(stage, fault)
  let bit = 0
  let over = false
  let heal: End | undefined
  const turn = (): void => {
    if (over) return
    bit += heal?.() ?? 0
    heal = heal === undefined ? cut(stage, ways) : undefined
    scheduler.at(scheduler.nowMs + fault.amount, FATE, turn)
  }
  turn()
  return () => {
    over = true
    return bit + (heal?.() ?? 0)
  }
}

function breakLinks({ network }: Stage, { target }: PlannedFault): End {
  const [near, far] = endsOf(target)
  const broken = network.breakLinks(near, far)
  return () => broken
}

function slow(stage: Stage, fault: PlannedFault): End {
  const ways = waysOf(stage, fault)
  for (const way of ways) stage.network.slowDown(way, fault.amount)
  return () => {
    const waited = ways.reduce((sum, { narrow }) => sum + (narrow?.queue.length ?? 0), 0)
    for (const way of ways) stage.network.speedUp(way)
    return 1 + waited
  }
}

function pause(stage: Stage, { target, forMs }: PlannedFault): End {
  const paused = stage.machine(target)
  paused.pausedUntilMs = Math.max(paused.pausedUntilMs, stage.scheduler.nowMs + forMs)
  return () => 1
}

function sleep(stage: Stage, fault: PlannedFault): End {
  stage.machine(fault.target).clock.sleep(stage.scheduler.nowMs + fault.forMs)
  return pause(stage, fault)
}

function kill(stage: Stage, { target }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  if (!seat.runs) return undefined
  seat.kill()
  return () => {
    if (!seat.runs) seat.start()
    return 1
  }
}

/** Between two calls, or in the middle of one that touches the disk. */
function losePower(stage: Stage, { target, amount, forMs, atMs }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  if (!seat.runs) return undefined
  let lost = 0
  if (amount === 0) lost = seat.losePower()
  else seat.losePowerAt(amount, (writes) => void (lost = writes))
  // A process that leaves its disk alone loses its power all the same.
  const graceMs = Math.min(forMs / 2, 200)
  stage.scheduler.at(atMs + graceMs, FATE, () => {
    if (seat.runs) lost = seat.losePower()
  })
  return () => {
    if (!seat.runs) seat.start()
    return 1 + lost
  }
}

function moveClock(stage: Stage, { target, amount }: PlannedFault): End {
  const { clock } = stage.machine(target)
  clock.move(amount)
  return () => {
    clock.move(0)
    return 1
  }
}

const LOOK_MS = 20

/** A stop takes as long as uploading what waits. */
function whenStopped(stage: Stage, seat: Seat, work: () => Promise<void>): void {
  const { scheduler } = stage
  if (!seat.stops) return stage.aside(work)
  scheduler.at(scheduler.nowMs + LOOK_MS, FATE, () => whenStopped(stage, seat, work))
}

/** Some past of the primary comes back on a new disk; what was revoked since must not. */
function restorePast(stage: Stage, { target, amount }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  const { archive } = stage
  if (!seat.runs || archive === undefined) return undefined
  if (amount === STOPPED_FIRST) seat.stop().catch((error: unknown) => stage.problem(`a stop failed: ${String(error)}`))
  else seat.kill()
  return () => {
    whenStopped(stage, seat, async () => {
      if (seat.runs) seat.kill()
      const { host } = stage.operator
      const random = randomFor(stage.seed, `restore at ${stage.scheduler.nowMs}`)
      const options = { witness: archive.witness, image: seat.image, random, host }
      const restored = await restoreSomePast(options).catch((error: unknown) =>
        stage.problem(`restore: ${String(error)}`),
      )
      stage.trace.say('restore', restored?.text ?? 'nothing was restored')
      if (restored !== undefined) seat.replaceDisk(restored.image)
      seat.start()
    })
    return 1
  }
}
