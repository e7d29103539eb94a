/** Schedules drawn from a seed: one to three faults that overlap, none of which undoes what another one does. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FaultEvent } from '../../history/event.ts'
import type { FacilityName } from '../facilities/facilities.ts'
import type { Random } from '../random.ts'
import {
  cutRegion,
  cutServices,
  everSlower,
  type Fault,
  flap,
  kill,
  moveWallClock,
  slowServices,
  stop,
} from './nemesis.ts'
import {
  damageDisk,
  freeze,
  loseDisk,
  loseToPrimary,
  loseToServices,
  narrow,
  putDiskBack,
  startAtAnotherHour,
  throttle,
} from './pressure.ts'
import { type Region, REGIONS, servicesOf, type Testbed } from './testbed.ts'

export interface Schedule {
  readonly faults: readonly Planned[]
}

interface Planned {
  readonly fault: Fault
  /** After the beginning of the schedule. */
  readonly afterMs: number
}

interface Choice {
  readonly fault: Fault
  /** What it has in its hand: nobody else may let go of it. */
  readonly holds: readonly string[]
}

interface Kind {
  readonly needs: readonly FacilityName[]
  readonly draw: (dice: Dice) => Choice
}

/** What a fault is drawn with. */
interface Dice {
  readonly random: Random
  readonly leaseMs: number
  readonly region: Region
  /** Any process of the cluster. */
  readonly process: string
  /** A part of a lease up to three of them. */
  readonly ms: number
}

const FAULTS_MAX = 3
const PROCESSES = ['primary', ...REGIONS, ...REGIONS.flatMap((region) => [`${region}-worker`, `${region}-probe`])]
const CUTS = ['cut both ways', 'cut towards the replica', 'cut towards the primary'] as const
const HOUR_S = 3_600
/** To the year 1970 and to the year 2106, near the ends of 32 bits of seconds, and to others nearby. */
const HOURS_AWAY_S = [-56 * 365 * 24 * HOUR_S, 79 * 365 * 24 * HOUR_S, -2 * HOUR_S, 2 * HOUR_S]

const link = (at: string): string => `link of ${at}`
const life = (process: string): string => `life of ${process}`

const KINDS: readonly Kind[] = [
  {
    needs: [],
    draw: ({ random, region, ms }) => ({
      fault: cutRegion(random.pick(CUTS) ?? CUTS[0], region, ms),
      holds: [link(region)],
    }),
  },
  {
    needs: [],
    draw: ({ random, region, ms }) => ({
      fault: cutServices(random.pick(CUTS) ?? CUTS[0], region, ms),
      holds: [link(servicesOf(region))],
    }),
  },
  {
    needs: [],
    draw: ({ random, region, leaseMs }) => ({
      fault: flap(region, leaseMs * (0.1 + 2.9 * random.fraction()), 1 + random.below(3)),
      holds: [link(region)],
    }),
  },
  {
    needs: [],
    draw: ({ random, region, leaseMs, ms }) => ({
      fault: slowServices(region, leaseMs * 0.9 * random.fraction() + 20, ms),
      holds: [`lateness of ${region}`],
    }),
  },
  {
    needs: [],
    draw: ({ region, leaseMs }) => ({
      fault: everSlower(
        region,
        [0.3, 0.6, 0.9, 1.2, 1.5].map((part) => part * leaseMs),
        2.5 * leaseMs,
      ),
      holds: [`lateness of ${region}`, link(servicesOf(region))],
    }),
  },
  { needs: [], draw: ({ process, ms }) => ({ fault: stop(process, ms), holds: [life(process)] }) },
  {
    needs: [],
    draw: ({ random, process }) => ({
      fault: kill(process, 50 + random.below(400), 1 + random.below(3)),
      holds: [life(process)],
    }),
  },
  { needs: ['freezer'], draw: ({ process, ms }) => ({ fault: freeze(process, ms), holds: [life(process)] }) },
  {
    needs: ['quota'],
    // What asks the replica every time does so little that it needs no more.
    draw: ({ random, ms }) => {
      const process = random.pick(['primary', ...REGIONS]) ?? 'primary'
      return { fault: throttle(process, 3 + random.below(8), Math.max(ms, 1_000)), holds: [life(process)] }
    },
  },
  {
    needs: ['namespaces', 'tbf'],
    draw: ({ random, region, ms }) => ({
      fault: narrow(region, 32 + random.below(200), Math.max(ms, 1_000)),
      holds: [`width of ${region}`],
    }),
  },
  {
    needs: ['namespaces', 'loss'],
    draw: ({ random, region, ms }) => ({
      fault: loseToPrimary(region, random.pick([5, 20, 50]) ?? 20, Math.max(ms, 1_000)),
      holds: [link(region)],
    }),
  },
  {
    needs: ['namespaces', 'loss'],
    draw: ({ random, region, ms }) => ({
      fault: loseToServices(region, random.pick([5, 20, 50]) ?? 20, Math.max(ms, 1_000)),
      holds: [link(servicesOf(region))],
    }),
  },
  {
    needs: [],
    draw: ({ random, region, ms }) => {
      const faults = [putDiskBack(region, ms), damageDisk(region), loseDisk(region)]
      return { fault: random.pick(faults) ?? loseDisk(region), holds: [life(region)] }
    },
  },
  {
    needs: ['faketime'],
    draw: ({ random, process }) => ({
      fault: moveWallClock(process, random.pick([-7_200, 7_200, -90, 30]) ?? 7_200, 1_500),
      holds: [life(process)],
    }),
  },
  {
    needs: ['faketime'],
    draw: ({ random, process }) => ({
      fault: startAtAnotherHour(process, random.pick(HOURS_AWAY_S) ?? -HOUR_S, 1_500),
      holds: [life(process)],
    }),
  },
]

/** Every kind of fault in turn, shuffled anew each time, so that none is rare. */
export class Schedules {
  readonly #random: Random
  readonly #leaseMs: number
  readonly #kinds: readonly Kind[]
  #waiting: readonly Kind[] = []

  /** Without what the machine lacks. */
  constructor(random: Random, leaseMs: number, lacking: ReadonlySet<FacilityName>) {
    this.#random = random
    this.#leaseMs = leaseMs
    this.#kinds = KINDS.filter(({ needs }) => !needs.some((name) => lacking.has(name)))
  }

  next(): Schedule {
    const wanted = 1 + this.#random.below(FAULTS_MAX)
    const held = new Set<string>()
    const faults: Planned[] = []
    while (faults.length < wanted) {
      const { fault, holds } = this.#kind().draw(this.#dice())
      if (holds.some((one) => held.has(one))) continue
      for (const one of holds) held.add(one)
      faults.push({ fault, afterMs: faults.length === 0 ? 0 : this.#random.below(this.#leaseMs) })
    }
    return { faults }
  }

  #kind(): Kind {
    if (this.#waiting.length === 0) this.#waiting = this.#random.shuffled(this.#kinds)
    const [kind = KINDS[0], ...others] = this.#waiting
    this.#waiting = others
    if (kind === undefined) throw new Error('there are kinds of faults')
    return kind
  }

  #dice(): Dice {
    const random = this.#random
    return {
      random,
      leaseMs: this.#leaseMs,
      region: random.pick(REGIONS) ?? 'fra',
      process: random.pick(PROCESSES) ?? 'primary',
      ms: this.#leaseMs * (0.3 + 2.7 * random.fraction()),
    }
  }
}

export function scheduleText({ faults }: Schedule): string {
  return faults.map(({ fault, afterMs }) => `${fault.kind}: ${fault.target} at ${afterMs} ms`).join('; ')
}

/** Resolves when all of it is over. */
export async function inject(testbed: Testbed, { faults }: Schedule): Promise<readonly FaultEvent[]> {
  const all = faults.map(async ({ fault, afterMs }) => {
    await delay(afterMs)
    return fault.inject(testbed)
  })
  return (await Promise.all(all)).flat()
}
