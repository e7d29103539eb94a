/** Injects the faults of a plan, each from its beginning to its end, and records how often each took effect. */
import type { FaultEvent } from '../../history/event.ts'
import { KEK, MACHINES, NEXT_KEK, ORG, REGIONS, servicesOf } from '../nodes/members.ts'
import { randomFor } from '../time/entropy.ts'
import { UNOWNED } from '../time/scheduler.ts'
import type { Slot } from '../nodes/slot.ts'
import { orProblem, type TestCluster } from '../nodes/test-cluster.ts'
import type { Way } from '../network/network.ts'
import { succeedPrimary } from '../archive/succession.ts'
import { decide, restoreSomePast } from '../archive/restored.ts'
import { DATABASE_FULL, EVERYBODY, type PlannedFault, ROTATED, STOPPED_FIRST } from './plan.ts'

/** Ends the fault; returns how often it took effect, now or later. */
type End = () => number | Promise<number>

/** `faults`: all of the plan. */
export function inject(cluster: TestCluster, fault: PlannedFault, faults: readonly PlannedFault[]): void {
  const { scheduler, trace, events } = cluster
  scheduler.at(fault.atMs, UNOWNED, () => {
    const end = begin(cluster, fault, faults)
    if (end === undefined) return
    trace.say('fault', `${fault.kind}: ${fault.target}`)
    scheduler.at(fault.atMs + fault.forMs, UNOWNED, () => {
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
function begin(cluster: TestCluster, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
  switch (fault.kind) {
    case 'cut both ways':
    case 'cut towards the replica':
    case 'cut towards the primary':
      return cut(cluster, waysOf(cluster, fault))
    case 'flapping':
      return flap(cluster, fault)
    case 'links broken':
      return breakLinks(cluster, fault)
    case 'slow link':
      return slow(cluster, fault)
    case 'stopped':
      return pause(cluster, fault)
    case 'asleep':
      return sleep(cluster, fault)
    case 'killed':
      return kill(cluster, fault)
    case 'power lost':
      return losePower(cluster, fault)
    case 'wall clock moved':
      return moveClock(cluster, fault)
    case 'disk full':
      return fillDisk(cluster, fault)
    case 'archive away':
    case 'archive answers lost':
    case 'archive lists late':
    case 'archive writes late':
      return cluster.archive?.link.disturb(fault.kind)
    case 'restored':
    case 'restore interrupted':
    case 'restored blindly':
      return restorePast(cluster, fault, faults)
    case 'two primaries':
      return succeed(cluster, fault, faults)
    case 'disk put back':
      return putBack(cluster, fault)
    case 'years away':
      return moveYears(cluster, fault)
    case 'keys changed':
      return changeKeys(cluster, fault)
  }
}

/** A region's link leads to the primary, its services' to its replica. */
function endsOf({ leader }: TestCluster, target: string): readonly [string, string] {
  const region = REGIONS.find((name) => servicesOf(name) === target)
  return region === undefined ? [target, leader] : [target, region]
}

function waysOf(cluster: TestCluster, { kind, target }: PlannedFault): readonly Way[] {
  const { network } = cluster
  const [near, far] = endsOf(cluster, target)
  const [towards, away] = [network.way(far, near), network.way(near, far)]
  if (kind === 'cut towards the replica') return [towards]
  return kind === 'cut towards the primary' ? [away] : [towards, away]
}

/** Ways may be cut by two faults at once: they are open again when the last of them is over. */
const cutters = new WeakMap<Way, number>()

function cut({ network }: TestCluster, ways: readonly Way[]): () => number {
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

function flap(cluster: TestCluster, fault: PlannedFault): End {
  const { scheduler } = cluster
  const ways = waysOf(cluster, fault)
  let dropped = 0
  let over = false
  let heal: (() => number) | undefined
  const turn = (): void => {
    if (over) return
    dropped += heal?.() ?? 0
    heal = heal === undefined ? cut(cluster, ways) : undefined
    scheduler.at(scheduler.nowMs + fault.amount, UNOWNED, turn)
  }
  turn()
  return () => {
    over = true
    return dropped + (heal?.() ?? 0)
  }
}

function breakLinks(cluster: TestCluster, { target }: PlannedFault): End {
  const [near, far] = endsOf(cluster, target)
  const broken = cluster.network.breakLinks(near, far)
  return () => broken
}

function slow(cluster: TestCluster, fault: PlannedFault): End {
  const ways = waysOf(cluster, fault)
  for (const way of ways) cluster.network.slowDown(way, fault.amount)
  return () => {
    const waited = ways.reduce((sum, { narrow }) => sum + (narrow?.queue.length ?? 0), 0)
    for (const way of ways) cluster.network.speedUp(way)
    return 1 + waited
  }
}

function pause(cluster: TestCluster, { target, forMs }: PlannedFault): End {
  const paused = cluster.machine(target)
  paused.pausedUntilMs = Math.max(paused.pausedUntilMs, cluster.scheduler.nowMs + forMs)
  return () => 1
}

function sleep(cluster: TestCluster, fault: PlannedFault): End {
  cluster.machine(fault.target).clock.sleep(cluster.scheduler.nowMs + fault.forMs)
  return pause(cluster, fault)
}

function kill(cluster: TestCluster, { target }: PlannedFault): End | undefined {
  const slot = cluster.slot(target)
  if (!slot.runs) return undefined
  slot.kill()
  return () => {
    if (!slot.runs) slot.start()
    return 1
  }
}

/** Between two calls, or in the middle of one that touches the disk. */
function losePower(cluster: TestCluster, { target, amount, forMs, atMs }: PlannedFault): End | undefined {
  const slot = cluster.slot(target)
  if (!slot.runs) return undefined
  let lost = 0
  if (amount === 0) lost = slot.losePower()
  else slot.losePowerAt(amount, (writes) => void (lost = writes))
  // A process that leaves its disk alone loses its power all the same.
  const graceMs = Math.min(forMs / 2, 200)
  cluster.scheduler.at(atMs + graceMs, UNOWNED, () => {
    if (slot.runs) lost = slot.losePower()
  })
  return () => {
    if (!slot.runs) slot.start()
    return 1 + lost
  }
}

function moveClock(cluster: TestCluster, { target, amount }: PlannedFault): End {
  const { clock } = cluster.machine(target)
  clock.move(amount)
  return () => {
    clock.move(0)
    return 1
  }
}

/** In a cluster whose clocks are all wrong alike everybody agrees; once they are right again the nodes are started anew. */
function moveYears(cluster: TestCluster, { target, amount }: PlannedFault): End | undefined {
  if (cluster.mintsNothing) return undefined
  const names = target === EVERYBODY ? MACHINES : [target]
  // A mint in those years would write them down for good.
  cluster.mintsNothing = true
  for (const name of names) cluster.machine(name).clock.move(amount)
  return () => {
    cluster.mintsNothing = false
    for (const name of names) cluster.machine(name).clock.move(0)
    for (const name of ['primary', ...REGIONS]) if (target === EVERYBODY || target === name) restart(cluster.slot(name))
    return 1
  }
}

/** A node gets another key-encryption key, before the others or after them; and perhaps everything is sealed with it by force. */
function changeKeys(cluster: TestCluster, { target, amount }: PlannedFault): End | undefined {
  const slot = cluster.slot(target)
  if (!slot.runs) return undefined
  const rotates = amount === ROTATED
  if (rotates) void rotate(cluster)
  return () => {
    for (const name of rotates ? ['primary', ...REGIONS] : [target]) {
      const one = cluster.slot(name)
      one.ring = [NEXT_KEK, KEK]
      restart(one)
    }
    return 1
  }
}

/** What the process that runs then writes finds no room; another process on that disk does. */
function fillDisk(cluster: TestCluster, { target, amount }: PlannedFault): End | undefined {
  const slot = cluster.slot(target)
  if (!slot.runs) return undefined
  const empty = slot.fillDisk(amount === DATABASE_FULL)
  return () => {
    empty()
    return 1
  }
}

/** A key of an org too: who lacks the key-encryption key cannot open it. */
async function rotate({ signer }: TestCluster): Promise<void> {
  const ignore = (): undefined => undefined
  await signer.rotateKek({ force: true }).catch(ignore)
  await signer.rotateKey(ORG).catch(ignore)
}

function restart(slot: Slot): void {
  if (!slot.runs) return
  slot.kill()
  slot.start()
}

const LOOK_MS = 20
const RESTART_MS = 400
const SUCCESSION = 'two primaries'
const LONG_MS = 1e9
const BOTH_LEASES_MAX = 2

/** A stop takes as long as uploading what waits, and another restore as long as it takes. */
function whenFree(cluster: TestCluster, slot: Slot, work: () => Promise<void>): void {
  const { scheduler } = cluster
  if (!slot.taken) return cluster.aside(work)
  scheduler.at(scheduler.nowMs + LOOK_MS, UNOWNED, () => whenFree(cluster, slot, work))
}

/** What may take from a replica's disk what it has shown, or said to have. */
const WEAKENING: ReadonlySet<string> = new Set(['power lost', 'disk put back'])

function areReplicasWhole(faults: readonly PlannedFault[]): boolean {
  return !faults.some(({ kind, target }) => WEAKENING.has(kind) && target !== 'primary')
}

/** Some past of the primary comes back on a new disk; what was revoked since must not. */
function restorePast(cluster: TestCluster, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
  const { kind, target, amount } = fault
  const slot = cluster.slot(target)
  if (!slot.runs || cluster.archive === undefined || cluster.operations.has(SUCCESSION)) return undefined
  const isInterrupted = kind === 'restore interrupted'
  const isBlind = kind === 'restored blindly'
  // A replica on an old disk has forgotten what it refused, and some of what others tell of it waits for an operator.
  if (isBlind && faults.some((other) => other.kind === 'disk put back')) return undefined
  if (!isInterrupted && amount === STOPPED_FIRST)
    slot.stop().catch((error: unknown) => cluster.problem(`a stop failed: ${String(error)}`))
  else slot.kill()
  const replicasAreWhole = areReplicasWhole(faults)
  const operation = `${kind} ${fault.atMs}`
  cluster.operations.add(operation)
  return async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    whenFree(cluster, slot, async () => {
      if (slot.runs) slot.kill()
      const letGo = slot.hold()
      const random = randomFor(cluster.seed, `restore at ${cluster.scheduler.nowMs}`)
      const powerLostAt = isInterrupted ? amount : undefined
      const options = { cluster, slot, random, replicasAreWhole, powerLostAt, isBlind }
      const decision = await orProblem(cluster, 'restore', decide(options))
      const restoring = decision === undefined ? Promise.resolve(undefined) : restoreSomePast(options, decision)
      void orProblem(cluster, 'restore', restoring).then((interrupted) => {
        letGo()
        slot.start()
        if (isBlind) restartReplicas(cluster)
        cluster.operations.delete(operation)
        resolve(Number(isInterrupted ? interrupted === true : interrupted !== undefined))
      })
    })
    return promise
  }
}

/** Twice, once they have had time to take the pages that know nothing: what they refuse is on no memory's word any more. */
function restartReplicas(cluster: TestCluster): void {
  const { scheduler, operations } = cluster
  const operation = `restarts ${scheduler.nowMs}`
  operations.add(operation)
  for (const round of [1, 2])
    scheduler.at(scheduler.nowMs + round * RESTART_MS, UNOWNED, () => {
      for (const region of REGIONS) restart(cluster.slot(region))
      if (round === 2) operations.delete(operation)
    })
}

/** An older copy of a replica's disk takes the place of the disk. */
function putBack(cluster: TestCluster, { target }: PlannedFault): End | undefined {
  const slot = cluster.slot(target)
  if (!slot.runs) return undefined
  const copy = slot.copyDisk()
  return () => {
    if (!slot.runs) return 0
    slot.kill()
    slot.replaceDisk(copy)
    slot.start()
    return 1
  }
}

/**
 * The primary is away, not dead, while a restore from a replica makes another machine its successor, at the same address.
 * Then it wakes up, and both are there until somebody ends the first one.
 */
function succeed(cluster: TestCluster, fault: PlannedFault, faults: readonly PlannedFault[]): End | undefined {
  const random = randomFor(cluster.seed, 'succession')
  const from = cluster.slot(random.pick(REGIONS) ?? REGIONS[0])
  const old = cluster.slot('primary')
  const operation = SUCCESSION
  if (cluster.operations.size > 0) return undefined
  if (cluster.leader !== 'primary' || !old.runs || from.taken || !areReplicasWhole(faults)) return undefined
  const wake = fault.amount === STOPPED_FIRST ? stand(cluster) : isolate(cluster)
  cluster.operations.add(operation)
  const bothMs = fault.forMs + random.fraction() * BOTH_LEASES_MAX * cluster.freshness.lease_ms
  const succession = succeedPrimary({ cluster, from, old, random, wake, bothMs })
  const done = orProblem(cluster, 'succession', succession).then((effect) => {
    cluster.operations.delete(operation)
    return effect ?? 0
  })
  return () => done
}

/** Until it is woken, whenever that is. */
function stand(cluster: TestCluster): () => void {
  const machine = cluster.machine('primary')
  const { pausedUntilMs } = machine
  machine.pausedUntilMs = LONG_MS
  return () => {
    machine.pausedUntilMs = Math.max(pausedUntilMs, cluster.scheduler.nowMs)
  }
}

function isolate(cluster: TestCluster): () => void {
  const { network } = cluster
  const end = cut(
    cluster,
    ['operator', ...REGIONS].flatMap((name) => [network.way(name, 'primary'), network.way('primary', name)]),
  )
  return () => void end()
}
