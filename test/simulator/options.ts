/** The options of the simulator, and the reasons for refusing some combinations. */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { MacaroondError } from '../../shared/errors.ts'
import type { FaultKind } from '../history/event.ts'
import { KINDS } from './plan/plan.ts'

export interface Options {
  /** Of the first run; the others follow. */
  readonly seed: number
  readonly seeds: number
  /** Tenths of a second in which tokens come and go and faults happen. */
  readonly steps: number
  /** Runs every seed twice and compares the traces. */
  readonly twice: boolean
  readonly processes: number
  /** Prints the trace of a single seed. */
  readonly trace: boolean
  /** The faults that are drawn; all of them where this is undefined. */
  readonly kinds: readonly FaultKind[] | undefined
  /** Of a single seed: the faults of its plan that are injected, by number, and how many steps of it are made. */
  readonly only: readonly number[] | undefined
  readonly until: number | undefined
  /** Runs the schedules that once broke a promise, instead of seeds. */
  readonly scenarios: boolean
  /** Plants bugs and counts the seeds that it takes to catch each. */
  readonly mutants: boolean
  /** A part of the name of those that are planted. */
  readonly mutant: string
  /** The file that what was seen is added to; of the seeds only those run that it does not have yet. */
  readonly evidence: string | undefined
  /** Says what may be asked, and does nothing else. */
  readonly help: boolean
}

export const USAGE = `usage: npm run simulate -- [--seeds N] [--seed S] [--steps K] [--kinds 'killed,power lost'] [--twice] [--processes P]
       npm run simulate -- --evidence FILE [--seeds N] [--seed S] [--steps K] [--twice] [--processes P]
       npm run simulate -- --seed S [--steps K] [--only 0,2] [--until K] [--trace]
       npm run simulate -- --scenarios [--twice]
       npm run simulate -- --mutants [--mutant NAME] [--seeds N] [--evidence FILE]`

const SEEDS_MAX = 10_000_000
const STEPS_MIN = 12
const STEPS_MAX = 3_000
const DEFAULTS = { seeds: 100, steps: 25, seed: 1 }

/** Throws request_invalid. */
export function parseOptions(args: readonly string[]): Options {
  const values = read(args)
  const single = values.seed !== undefined && values.seeds === undefined
  const options = {
    seed: whole('--seed', values.seed, { least: 0, most: 2 ** 32 - 1, otherwise: DEFAULTS.seed }),
    seeds: whole('--seeds', values.seeds, { least: 1, most: SEEDS_MAX, otherwise: single ? 1 : DEFAULTS.seeds }),
    steps: whole('--steps', values.steps, { least: STEPS_MIN, most: STEPS_MAX, otherwise: DEFAULTS.steps }),
    twice: values.twice,
    processes: whole('--processes', values.processes, { least: 1, most: 256, otherwise: availableParallelism() }),
    trace: values.trace,
    kinds: values.kinds?.split(',').map(readKind),
    only: readList(values.only),
    until: values.until === undefined ? undefined : Number(values.until),
    scenarios: values.scenarios,
    mutants: values.mutants || values.mutant !== undefined,
    mutant: values.mutant ?? '',
    evidence: values.evidence,
    help: values.help,
  }
  requireSense(options)
  return options
}

function read(args: readonly string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const known = {
    seed: text,
    seeds: text,
    steps: text,
    processes: text,
    kinds: text,
    only: text,
    until: text,
    mutant: text,
    evidence: text,
  }
  try {
    return parseArgs({
      args: [...args],
      options: { ...known, twice: flag, trace: flag, mutants: flag, scenarios: flag, help: { ...flag, short: 'h' } },
    }).values
  } catch (cause) {
    throw new MacaroondError('request_invalid', cause instanceof Error ? cause.message : String(cause), { hint: USAGE })
  }
}

function readKind(text: string): FaultKind {
  const kind = KINDS.find((known) => known === text.trim())
  if (kind !== undefined) return kind
  throw new MacaroondError('request_invalid', `there is no fault "${text}"`, { hint: `there are: ${KINDS.join(', ')}` })
}

/** Numbers of faults; `none` for a run without any. */
function readList(text: string | undefined): readonly number[] | undefined {
  if (text === 'none') return []
  return text?.split(',').map((part) => whole('--only', part, { least: 0, most: 1_000, otherwise: 0 }))
}

interface Range {
  readonly least: number
  readonly most: number
  readonly otherwise: number
}

function whole(name: string, text: string | undefined, { least, most, otherwise }: Range): number {
  if (text === undefined) return otherwise
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= least && value <= most) return value
  throw new MacaroondError('request_invalid', `${name} ${text}: a whole number from ${least} to ${most} is wanted`, {
    hint: USAGE,
  })
}

function requireSense(options: Options): void {
  const { seed, seeds, steps, only, until, trace, twice, mutants, scenarios, kinds, evidence } = options
  const refuse = (message: string, hint: string): never => {
    throw new MacaroondError('request_invalid', message, { hint })
  }
  if (seed + seeds > 2 ** 32) refuse('seeds end at 4294967295', 'begin with a smaller --seed')
  const ofOne = only !== undefined || until !== undefined || trace
  if (ofOne && seeds !== 1) refuse('--only, --until and --trace are for one seed', 'give --seed, and no --seeds')
  if (until !== undefined && !(Number.isInteger(until) && until >= STEPS_MIN && until <= steps)) {
    refuse(`--until is a number of steps from ${STEPS_MIN} to --steps (${steps})`, USAGE)
  }
  if (scenarios && (mutants || ofOne)) refuse('--scenarios goes with --twice only', USAGE)
  if (mutants && (twice || ofOne)) refuse('--mutants goes with --seeds and --steps only', USAGE)
  if (evidence !== undefined && (ofOne || scenarios || (kinds !== undefined && !mutants))) {
    refuse('--evidence goes with seeds of all faults or with --mutants', USAGE)
  }
}
