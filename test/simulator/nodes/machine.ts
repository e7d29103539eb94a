/** A machine of the simulated cluster and the life of the process on it: it can be stopped, put to sleep, killed. */
import type { Entropy, NodeClock } from '../../../shared/clock.ts'
import type { Host } from '../../../shared/service/host.ts'
import type { Network } from '../network/network.ts'
import { randomFor, seededEntropy } from '../time/entropy.ts'
import { MachineClock } from '../time/machine-clock.ts'
import type { Owner, Scheduler } from '../time/scheduler.ts'

export interface World {
  readonly seed: number
  readonly scheduler: Scheduler
  readonly network: Network
}

export interface MachineOptions {
  readonly name: string
  /** IP address. */
  readonly address: string
  readonly rate: number
  readonly epochMs: number
}

const UP_MS = 1_000_000
/** On average. Jobs that are not named do not run. */
const JOBS_MS: Readonly<Record<string, number>> = {
  'archive compact 1': 300,
  'archive compact 2': 700,
  'archive compact 3': 1_500,
  'archive snapshot': 1_000,
  'archive retain': 600,
  'archive drill': 1_400,
  'archive heartbeat': 900,
}

/** Upkeep of nodes, by chances of its own: what else happens in a seed is the same with it and without. */
const UPKEEP_MS: Readonly<Record<string, number>> = { sweep: 400, scrub: 900, purge: 600 }

export class Machine {
  readonly name: string
  readonly address: string
  readonly clock: MachineClock
  readonly #world: World
  /** False between a loss of power and the next start: then nothing of it answers. */
  powered = true
  pausedUntilMs = 0
  #lives = 0

  constructor({ name, address, rate, epochMs }: MachineOptions, world: World) {
    this.name = name
    this.address = address
    this.#world = world
    this.clock = new MachineClock({ nowMs: () => world.scheduler.nowMs, rate, epochMs, upMs: UP_MS })
  }

  /** A new process. */
  begin(): Life {
    this.#lives += 1
    return new Life(this, this.#world, this.#lives)
  }
}

/** One process, from its start to its end. */
export class Life implements Owner {
  readonly machine: Machine
  readonly scheduler: Scheduler
  readonly number: number
  readonly host: Host
  #over = false

  constructor(machine: Machine, world: World, number: number) {
    this.machine = machine
    this.scheduler = world.scheduler
    this.number = number
    const random = randomFor(world.seed, `${machine.name} ${number}`)
    const entropy: Entropy = seededEntropy(random)
    this.host = {
      clock: this.#clock(() => random.fraction()),
      entropy,
      transport: world.network.transportOf(this),
      schedule: ({ name, run, mayRun = () => true }) => {
        const drawn = name in UPKEEP_MS ? randomFor(world.seed, `${name} of ${machine.name} ${number}`) : random
        return this.#recur(
          JOBS_MS[name] ?? UPKEEP_MS[name],
          () => (mayRun() ? run() : Promise.resolve()),
          () => drawn.fraction(),
        )
      },
    }
  }

  get over(): boolean {
    return this.#over
  }

  end(): void {
    this.#over = true
  }

  runsFromMs(nowMs: number): number {
    return this.#over ? Infinity : Math.max(nowMs, this.machine.pausedUntilMs)
  }

  /** Cron runs by the machine's own date, far too seldom for a run of seconds. */
  #recur(everyMs: number | undefined, run: () => Promise<void>, uniform: () => number): () => void {
    if (everyMs === undefined) return () => undefined
    let callOff = (): void => undefined
    const again = (): void => {
      callOff = this.host.clock.after(everyMs * (0.5 + uniform()), () => {
        again()
        void run()
      })
    }
    again()
    return () => callOff()
  }

  #clock(uniform: () => number): NodeClock {
    const { clock } = this.machine
    const after: NodeClock['after'] = (ms, call) => this.#timer(clock.monotonicMs() + Math.max(1, ms), call, uniform)
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      boottimeMs: () => clock.boottimeMs(),
      after,
      every: (ms, call) => {
        let callOff = (): void => undefined
        const again = (): void => {
          callOff = after(ms, () => {
            again()
            call()
          })
        }
        again()
        return () => callOff()
      },
      soon: (call) => void this.scheduler.at(this.scheduler.nowMs + TURN_MS, this, call, 'timer'),
    }
  }

  /** A busy process is late; one on a machine that slept looks at its clock again. */
  #timer(dueMs: number, call: () => void, uniform: () => number): () => void {
    const { clock } = this.machine
    const chance = uniform()
    const lateMs = chance < 0.95 ? chance * 0.3 : chance * 3
    let callOff = (): void => undefined
    const look = (): void => {
      if (clock.monotonicMs() + 1e-6 >= dueMs) return call()
      callOff = this.scheduler.at(clock.trueMs(dueMs), this, look, 'timer')
    }
    callOff = this.scheduler.at(clock.trueMs(dueMs) + lateMs, this, look, 'timer')
    return () => callOff()
  }
}

/** A turn of the event loop, in milliseconds. */
const TURN_MS = 0.02
