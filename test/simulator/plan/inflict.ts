/** Carries a plan out: each fault from its beginning to its end, with what shows that it bit. */
import type { FaultEvent } from '../../history/event.ts'
import { KEK, MACHINES, NEXT_KEK, ORG, REGIONS, servicesOf } from '../nodes/cast.ts'
import { randomFor } from '../time/entropy.ts'
import type { Seat } from '../nodes/seat.ts'
import { orProblem, type Stage } from '../nodes/stage.ts'
import type { Way } from '../network/network.ts'
import { succeedPrimary } from '../archive/succession.ts'
import { decide, restoreSomePast } from '../archive/restored.ts'
import { DATABASE_FULL, EVERYBODY, type PlannedFault, ROTATED, STOPPED_FIRST } from './plan.ts'

/** Nobody's: faults come whatever state the cluster is in. */
const FATE = { runsFromMs: (nowMs: number): number => nowMs }

/** Ends the fault; returns how often it bit, or tells it later. */
type End = () => number | Promise<number>

/** `faults`: all of the plan. */
export function inflict(stage: Stage, fault: PlannedFault, faults: readonly PlannedFault[]): void {
  const { scheduler, trace, events } = stage
  scheduler.at(fault.atMs, FATE, () => {
    const end = begin(stage, fault, faults)
    if (end === undefined) return
    trace.say('fault', `${fault.kind}: ${fault.target}`)
    scheduler.at(fault.atMs + fault.forMs, FATE, () => {
      const { kind, target } = fault
      const over = (effect: number): void => {
        const event: FaultEvent = { t: 'fault', kind, target, from: fault.atMs, until: scheduler.nowMs, effect }
        trace.say('fault', `${kind}: ${target} is over`)
        events.push(event)
      }
      const effect = end()
      if (typeof effect === 'number') over(effect)
      else void effect.then(over)
    })
  })
}

/** Undefined where it cannot be done now: nobody can be killed twice. */
function begin(stage: Stage, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
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
    case 'disk full':
      return fillDisk(stage, fault)
    case 'archive away':
    case 'archive answers lost':
    case 'archive lists late':
      return stage.archive?.link.disturb(fault.kind)
    case 'restored':
    case 'restore interrupted':
    case 'restored blindly':
      return restorePast(stage, fault, faults)
    case 'two primaries':
      return succeed(stage, fault, faults)
    case 'disk put back':
      return putBack(stage, fault)
    case 'years away':
      return moveYears(stage, fault)
    case 'keys changed':
      return changeKeys(stage, fault)
  }
}

/** A region's link leads to the primary, its services' to its replica. */
function endsOf({ leader }: Stage, target: string): readonly [string, string] {
  const region = REGIONS.find((name) => servicesOf(name) === target)
  return region === undefined ? [target, leader] : [target, region]
}

function waysOf(stage: Stage, { kind, target }: PlannedFault): readonly Way[] {
  const { network } = stage
  const [near, far] = endsOf(stage, target)
  const [towards, away] = [network.way(far, near), network.way(near, far)]
  if (kind === 'cut towards the replica') return [towards]
  return kind === 'cut towards the primary' ? [away] : [towards, away]
}

/** Ways may be cut by two faults at once: they are open again when the last of them is over. */
const cutters = new WeakMap<Way, number>()

function cut({ network }: Stage, ways: readonly Way[]): () => number {
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
  let heal: (() => number) | undefined
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

function breakLinks(stage: Stage, { target }: PlannedFault): End {
  const [near, far] = endsOf(stage, target)
  const broken = stage.network.breakLinks(near, far)
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

/** In a cluster whose clocks are all wrong alike everybody agrees; once they are right again the nodes are started anew. */
function moveYears(stage: Stage, { target, amount }: PlannedFault): End | undefined {
  if (stage.mintsNothing) return undefined
  const names = target === EVERYBODY ? MACHINES : [target]
  // A mint in those years would write them down for good.
  stage.mintsNothing = true
  for (const name of names) stage.machine(name).clock.move(amount)
  return () => {
    stage.mintsNothing = false
    for (const name of names) stage.machine(name).clock.move(0)
    for (const name of ['primary', ...REGIONS]) if (target === EVERYBODY || target === name) restart(stage.seat(name))
    return 1
  }
}

/** A node gets another key-encryption key, before the others or after them; and perhaps everything is sealed with it by force. */
function changeKeys(stage: Stage, { target, amount }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  if (!seat.runs) return undefined
  const rotates = amount === ROTATED
  if (rotates) void rotate(stage)
  return () => {
    for (const name of rotates ? ['primary', ...REGIONS] : [target]) {
      const one = stage.seat(name)
      one.ring = [NEXT_KEK, KEK]
      restart(one)
    }
    return 1
  }
}

/** What the process that runs then writes finds no room; another process on that disk does. */
function fillDisk(stage: Stage, { target, amount }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  if (!seat.runs) return undefined
  const empty = seat.fillDisk(amount === DATABASE_FULL)
  return () => {
    empty()
    return 1
  }
}

/** A key of an org too: who lacks the key-encryption key cannot open it. */
async function rotate({ signer }: Stage): Promise<void> {
  const ignore = (): undefined => undefined
  await signer.rotateKek({ force: true }).catch(ignore)
  await signer.rotateKey(ORG).catch(ignore)
}

function restart(seat: Seat): void {
  if (!seat.runs) return
  seat.kill()
  seat.start()
}

const LOOK_MS = 20
const RESTART_MS = 400
const SUCCESSION = 'two primaries'
const LONG_MS = 1e9
const BOTH_LEASES_MAX = 2

/** A stop takes as long as uploading what waits, and another restore as long as it takes. */
function whenFree(stage: Stage, seat: Seat, work: () => Promise<void>): void {
  const { scheduler } = stage
  if (!seat.taken) return stage.aside(work)
  scheduler.at(scheduler.nowMs + LOOK_MS, FATE, () => whenFree(stage, seat, work))
}

/** What may take from a replica's disk what it has shown, or said to have. */
const WEAKENING: ReadonlySet<string> = new Set(['power lost', 'disk put back'])

function areReplicasWhole(faults: readonly PlannedFault[]): boolean {
  return !faults.some(({ kind, target }) => WEAKENING.has(kind) && target !== 'primary')
}

/** Some past of the primary comes back on a new disk; what was revoked since must not. */
function restorePast(stage: Stage, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
  const { kind, target, amount } = fault
  const seat = stage.seat(target)
  if (!seat.runs || stage.archive === undefined || stage.errands.has(SUCCESSION)) return undefined
  const isInterrupted = kind === 'restore interrupted'
  const isBlind = kind === 'restored blindly'
  // A replica on an old disk has forgotten what it refused, and some of what others tell of it waits for an operator.
  if (isBlind && faults.some((other) => other.kind === 'disk put back')) return undefined
  if (!isInterrupted && amount === STOPPED_FIRST)
    seat.stop().catch((error: unknown) => stage.problem(`a stop failed: ${String(error)}`))
  else seat.kill()
  const replicasAreWhole = areReplicasWhole(faults)
  const errand = `${kind} ${fault.atMs}`
  stage.errands.add(errand)
  return async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    whenFree(stage, seat, async () => {
      if (seat.runs) seat.kill()
      const letGo = seat.hold()
      const random = randomFor(stage.seed, `restore at ${stage.scheduler.nowMs}`)
      const powerLostAt = isInterrupted ? amount : undefined
      const options = { stage, seat, random, replicasAreWhole, powerLostAt, isBlind }
      const decision = await orProblem(stage, 'restore', decide(options))
      const restoring = decision === undefined ? Promise.resolve(undefined) : restoreSomePast(options, decision)
      void orProblem(stage, 'restore', restoring).then((interrupted) => {
        letGo()
        seat.start()
        if (isBlind) restartReplicas(stage)
        stage.errands.delete(errand)
        resolve(Number(isInterrupted ? interrupted === true : interrupted !== undefined))
      })
    })
    return promise
  }
}

/** Twice, once they have had time to take the pages that know nothing: what they refuse is on no memory's word any more. */
function restartReplicas(stage: Stage): void {
  const { scheduler, errands } = stage
  const errand = `restarts ${scheduler.nowMs}`
  errands.add(errand)
  for (const round of [1, 2])
    scheduler.at(scheduler.nowMs + round * RESTART_MS, FATE, () => {
      for (const region of REGIONS) restart(stage.seat(region))
      if (round === 2) errands.delete(errand)
    })
}

/** An older copy of a replica's disk takes the place of the disk. */
function putBack(stage: Stage, { target }: PlannedFault): End | undefined {
  const seat = stage.seat(target)
  if (!seat.runs) return undefined
  const copy = seat.copyDisk()
  return () => {
    if (!seat.runs) return 0
    seat.kill()
    seat.replaceDisk(copy)
    seat.start()
    return 1
  }
}

/**
 * The primary is away, not dead, while a restore from a replica makes another machine its successor, at the same address.
 * Then it wakes up, and both are there until somebody ends the first one.
 */
function succeed(stage: Stage, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
  const random = randomFor(stage.seed, 'succession')
  const from = stage.seat(random.pick(REGIONS) ?? REGIONS[0])
  const old = stage.seat('primary')
  const errand = SUCCESSION
  if (stage.errands.size > 0) return undefined
  if (stage.leader !== 'primary' || !old.runs || from.taken || !areReplicasWhole(faults)) return undefined
  const wake = fault.amount === STOPPED_FIRST ? stand(stage) : isolate(stage)
  stage.errands.add(errand)
  const bothMs = fault.forMs + random.fraction() * BOTH_LEASES_MAX * stage.freshness.lease_ms
  const succession = succeedPrimary({ stage, from, old, random, wake, bothMs })
  const done = orProblem(stage, 'succession', succession).then((bit) => {
    stage.errands.delete(errand)
    return bit ?? 0
  })
  return () => done
}

/** Until it is woken, whenever that is. */
function stand(stage: Stage): () => void {
  const machine = stage.machine('primary')
  const { pausedUntilMs } = machine
  machine.pausedUntilMs = LONG_MS
  return () => {
    machine.pausedUntilMs = Math.max(pausedUntilMs, stage.scheduler.nowMs)
  }
}

function isolate(stage: Stage): () => void {
  const { network } = stage
  const end = cut(
    stage,
    ['operator', ...REGIONS].flatMap((name) => [network.way(name, 'primary'), network.way('primary', name)]),
  )
  return () => void end()
}
