/** The plan of a seed: its faults, all drawn before the run begins, so that a plan can be printed, repeated and cut short. */
import type { Random } from '../../chaos/random.ts'
import type { FaultKind, SimulatedKind } from '../../history/event.ts'
import { type ArchivePlan, REGIONS, servicesOf, type Freshness } from '../nodes/members.ts'
import { randomFor } from '../time/entropy.ts'

export interface PlannedFault {
  readonly kind: SimulatedKind
  /** A region or its services for what is done to links, else a node. */
  readonly target: string
  readonly atMs: number
  readonly forMs: number
  /** Milliseconds of a clock, bytes a millisecond, half a period, or file operations before the power goes. */
  readonly amount: number
}

export interface Plan {
  readonly seed: number
  readonly freshness: Freshness
  /** Undefined: nothing is archived. */
  readonly archive?: ArchivePlan | undefined
  /** Until then tokens come and go and faults begin; all faults are over by then. */
  readonly lengthMs: number
  readonly faults: readonly PlannedFault[]
}

export const STEP_MS = 100
const BEGIN_MS = 900
const FAULTS_MAX = 3
const COMPANY = 0.6
/** That a second fault is done to what the first is done to, where it can be. */
const NEAR = 0.6
/** The long one leaves time for a second fault while what was granted before the first still counts. */
const LEASES_MS = [400, 400, 700, 700, 1_000, 2_500] as const
const PINGS_A_LEASE = 5

interface Around {
  readonly leaseMs: number
  /** What another fault is done to meanwhile. */
  readonly near: string | undefined
}

type Draw = (random: Random, around: Around) => Omit<PlannedFault, 'atMs' | 'kind'>

const NODES = ['primary', ...REGIONS] as const

const linkOf = (random: Random, { near }: Around): string => {
  const region = REGIONS.find((name) => name === near && random.fraction() < NEAR) ?? random.pick(REGIONS) ?? 'fra'
  return random.fraction() < 0.8 ? region : servicesOf(region)
}
const nodeOf = (random: Random, { near }: Around): string =>
  NODES.find((name) => name === near && random.fraction() < NEAR) ?? random.pick(NODES) ?? 'primary'
/** From a blink to several leases. */
const forLeases = (random: Random, { leaseMs }: Around, most = 3): number =>
  leaseMs * most * random.fraction() ** 1.5 + 30

const cut: Draw = (random, around) => ({ target: linkOf(random, around), forMs: forLeases(random, around), amount: 0 })
const stop: Draw = (random, around) => ({ target: nodeOf(random, around), forMs: forLeases(random, around), amount: 0 })

type Draws = readonly (readonly [SimulatedKind, Draw])[]

/** Only who is cut off for longer than a lease shows what a lease is for, so these are drawn twice as often. */
const CUT_DRAWS: Draws = [
  ['cut both ways', cut],
  ['cut towards the replica', cut],
  ['cut towards the primary', cut],
]

const DRAWS: Draws = [
  ...CUT_DRAWS,
  [
    'flapping',
    (random, around) => ({ ...cut(random, around), amount: around.leaseMs * (0.05 + 0.7 * random.fraction()) }),
  ],
  ['links broken', (random, around) => ({ target: linkOf(random, around), forMs: 0, amount: 0 })],
  ['slow link', (random, around) => ({ ...cut(random, around), amount: 1 + 30 * random.fraction() })],
  ['stopped', stop],
  ['asleep', stop],
  ['killed', (random, around) => ({ ...stop(random, around), forMs: forLeases(random, around, 1) })],
  [
    'power lost',
    (random, around) => ({
      ...stop(random, around),
      forMs: forLeases(random, around, 1),
      amount: random.fraction() < 0.5 ? 0 : 1 + random.below(24),
    }),
  ],
  [
    'wall clock moved',
    (random, around) => ({
      ...stop(random, around),
      amount: Math.round((random.fraction() < 0.5 ? -1 : 1) * 10 ** (1 + 6 * random.fraction())),
    }),
  ],
  [
    'disk put back',
    (random, around) => ({
      target: REGIONS.find((name) => name === around.near) ?? random.pick(REGIONS) ?? 'fra',
      forMs: forLeases(random, around),
      amount: 0,
    }),
  ],
]

/** What takes much of a run, so few have it; where there is an archive, that is restored from. */
const SUCCESSION_DRAWS: Draws = [
  [
    'two primaries',
    (random, around) => ({
      target: 'primary',
      forMs: forLeases(random, around),
      amount: random.fraction() < 0.5 ? CUT_OFF_FIRST : STOPPED_FIRST,
    }),
  ],
]

const DAY_MS = 86_400_000
/** What only a token that expired long ago has outlived. */
const LONGEST_DAYS = 392
export const EVERYBODY = 'everybody'
/** Of changed keys: everything is sealed anew as well. */
export const ROTATED = 1

/** What is done to a whole cluster by hand, in few seeds. */
const YEARS_DRAWS: Draws = [
  [
    'years away',
    (random, around) => ({
      target: random.fraction() < 0.6 ? EVERYBODY : nodeOf(random, around),
      forMs: 600 + forLeases(random, around, 1),
      amount: Math.round((random.fraction() < 0.2 ? -1 : 1) * (LONGEST_DAYS + 3_000 * random.fraction()) * DAY_MS),
    }),
  ],
]
const KEY_DRAWS: Draws = [
  [
    'keys changed',
    (random, around) => ({
      target: nodeOf(random, around),
      forMs: forLeases(random, around, 1),
      amount: random.fraction() < 0.4 ? ROTATED : 0,
    }),
  ],
]

const disturb: Draw = (random, around) => ({ target: 'primary', forMs: forLeases(random, around), amount: 0 })

/** What happens to a primary that archives. */
const ARCHIVE_DRAWS: Draws = [
  ['archive away', disturb],
  ['archive answers lost', disturb],
  ['archive lists late', disturb],
  ['archive writes late', disturb],
  [
    'restored',
    (random, around) => ({
      target: 'primary',
      forMs: forLeases(random, around, 1),
      amount: random.fraction() < 0.5 ? KILLED_FIRST : STOPPED_FIRST,
    }),
  ],
  [
    'restored blindly',
    (random, around) => ({ target: 'primary', forMs: forLeases(random, around, 1), amount: KILLED_FIRST }),
  ],
  [
    'restore interrupted',
    (random, around) => ({
      target: 'primary',
      forMs: forLeases(random, around, 1),
      amount: 1 + random.below(INTERRUPTED_WITHIN),
    }),
  ],
]
/** Calls that a restore makes to its disk: some more than it does. */
const INTERRUPTED_WITHIN = 60
/** Of a restore: how the primary ends before it. */
const KILLED_FIRST = 0
/** Of two primaries: how the first is away while it gets a successor. */
const CUT_OFF_FIRST = 0
export const STOPPED_FIRST = 1

/** Of a full disk: not even the pages of the database find room. */
export const DATABASE_FULL = 1

/** What has its own generator: the rest of a plan is the same with it and without. */
const OWN_DRAWS: Draws = [
  [
    'disk full',
    (random, around) => ({
      target: 'primary',
      forMs: forLeases(random, around),
      amount: random.fraction() < 0.5 ? DATABASE_FULL : 0,
    }),
  ],
]
/** Of seeds without an archive and without a successor: a restore asks its machine for the time. */
const OWN = 0.15

/** Narrows what is drawn to what a question is about. */
export interface PlanFilter {
  readonly kinds?: readonly FaultKind[]
  readonly leaseMs?: number
  /** Every primary archives, and does it so. */
  readonly archive?: Partial<ArchivePlan>
  /** These and no other: for what needs two faults at one moment. */
  readonly faults?: readonly PlannedFault[]
}

/** In some seeds only. */
export const RARE_KINDS: readonly SimulatedKind[] = [
  ...SUCCESSION_DRAWS,
  ...ARCHIVE_DRAWS,
  ...YEARS_DRAWS,
  ...KEY_DRAWS,
  ...OWN_DRAWS,
].map(([kind]) => kind)
export const KINDS: readonly SimulatedKind[] = [...DRAWS.map(([kind]) => kind), ...RARE_KINDS]
const ARCHIVE_KINDS: readonly SimulatedKind[] = ARCHIVE_DRAWS.map(([kind]) => kind)
/** Of all seeds: an archive costs as much as the rest of a cluster. */
const ARCHIVED = 0.12
const SUCCEEDED = 0.2
const ROUNDS_MS = [0, 20, 100, 300] as const
const WINDOWS_MS = [undefined, undefined, 700, 1_500] as const

/** By a generator of its own: the rest of a plan is the same with an archive and without. */
function drawArchive(seed: number, { kinds, archive }: PlanFilter): ArchivePlan | undefined {
  const random = randomFor(seed, 'archive')
  const isAsked = archive !== undefined || kinds?.some((kind) => ARCHIVE_KINDS.some((own) => own === kind)) === true
  const isDrawn = random.fraction() < ARCHIVED && kinds === undefined
  const plan = {
    bucket: random.fraction() < 0.5,
    everyMs: random.pick(ROUNDS_MS) ?? 0,
    durable: random.fraction() < 0.4,
    windowMs: random.pick(WINDOWS_MS),
  }
  return isAsked || isDrawn ? { ...plan, ...archive } : undefined
}

function isSucceeded(seed: number, { kinds }: PlanFilter): boolean {
  return kinds !== undefined || randomFor(seed, 'succession').fraction() < SUCCEEDED
}

/** By hand: in some of the seeds that have no archive and no succession. */
function drawByHand(seed: number, { kinds }: PlanFilter): Draws {
  if (kinds !== undefined) return [...YEARS_DRAWS, ...KEY_DRAWS]
  const chance = randomFor(seed, 'by hand').fraction()
  return chance < 0.08 ? YEARS_DRAWS : chance < 0.2 ? KEY_DRAWS : []
}

export function drawPlan(seed: number, steps: number, filter: PlanFilter = {}): Plan {
  const random = randomFor(seed, 'plan')
  const lengthMs = steps * STEP_MS
  const leaseMs = filter.leaseMs ?? random.pick(LEASES_MS) ?? LEASES_MS[0]
  const archive = drawArchive(seed, filter)
  const succession = isSucceeded(seed, filter) ? SUCCESSION_DRAWS : []
  const byHand =
    archive === undefined && (filter.kinds !== undefined || succession.length === 0) ? drawByHand(seed, filter) : []
  const own = archive === undefined ? [...succession, ...byHand] : [...ARCHIVE_DRAWS, ...succession]
  const all = [...DRAWS, ...CUT_DRAWS, ...own, ...own]
  const draws = all.filter(([kind]) => filter.kinds === undefined || filter.kinds.includes(kind))
  const faults: PlannedFault[] = []
  const count = 1 + random.below(FAULTS_MAX)
  while (faults.length < count) {
    const fault = drawFault(random, { draws, leaseMs, lengthMs, during: undefined })
    faults.push(fault)
    // Faults that come together find what neither finds alone.
    if (random.fraction() < COMPANY) faults.push(drawFault(random, { draws, leaseMs, lengthMs, during: fault }))
  }
  const isAlone = filter.kinds === undefined ? own.length === 0 : !filter.kinds.includes('two primaries')
  if (archive === undefined && isAlone) faults.push(...drawOwn(seed, { leaseMs, lengthMs }, filter))
  return {
    seed,
    freshness: { lease_ms: leaseMs, ping_ms: Math.round(leaseMs / PINGS_A_LEASE) },
    archive,
    lengthMs,
    faults: (filter.faults ?? faults).toSorted((a, b) => a.atMs - b.atMs),
  }
}

function drawOwn(
  seed: number,
  { leaseMs, lengthMs }: Pick<DrawOptions, 'leaseMs' | 'lengthMs'>,
  { kinds }: PlanFilter,
): readonly PlannedFault[] {
  const random = randomFor(seed, 'disks and dates')
  return OWN_DRAWS.flatMap(([kind, draw]) => {
    const isDrawn = kinds === undefined ? random.fraction() < OWN : kinds.includes(kind) && RARE_KINDS.includes(kind)
    return isDrawn ? [drawFault(random, { draws: [[kind, draw]], leaseMs, lengthMs, during: undefined })] : []
  })
}

interface DrawOptions {
  readonly draws: Draws
  readonly leaseMs: number
  readonly lengthMs: number
  /** Begins while this one lasts. */
  readonly during: PlannedFault | undefined
}

function drawFault(random: Random, { draws, leaseMs, lengthMs, during }: DrawOptions): PlannedFault {
  const [kind, draw] = random.pick(draws) ?? ['cut both ways', cut]
  const [fromMs, untilMs] =
    during === undefined ? [BEGIN_MS, Math.max(BEGIN_MS, lengthMs)] : [during.atMs, during.atMs + during.forMs]
  const atMs = Math.round(fromMs + random.fraction() * (untilMs - fromMs))
  const drawn = draw(random, { leaseMs, near: during?.target })
  return { kind, ...drawn, atMs, forMs: Math.round(Math.min(drawn.forMs, lengthMs - atMs)) }
}

export function planText({ seed, freshness, archive, lengthMs, faults }: Plan): readonly string[] {
  const cluster = `seed ${seed}: L = ${freshness.lease_ms} ms, ping every ${freshness.ping_ms} ms, ${lengthMs} ms`
  const head = archive === undefined ? cluster : `${cluster}; ${archiveText(archive)}`
  return [
    head,
    ...faults.map(({ kind, target, atMs, forMs, amount }, index) => {
      const by = amount === 0 ? '' : ` (${amount < 100 ? Number(amount.toFixed(2)) : Math.round(amount)})`
      return `  ${index}. at ${atMs} ms, for ${forMs} ms: ${kind}${by}: ${target}`
    }),
  ]
}

function archiveText({ bucket, everyMs, durable, windowMs }: ArchivePlan): string {
  const parts = [
    `archived ${bucket ? 'in a bucket' : 'in a directory'} every ${everyMs} ms`,
    ...(windowMs === undefined ? [] : [`single transactions kept for ${windowMs} ms`]),
    ...(durable ? ['durable is what is archived'] : []),
  ]
  return parts.join(', ')
}
