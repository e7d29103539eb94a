/**
 * Ours beside npm `macaroon` and libmacaroons: each in a process of its own, and in every round each does the same for the
 * same time, one right after the other.
 */
import type { Plan } from '../plan.ts'
import type { Row } from '../report.ts'
import { requireAgreement } from './agreement.ts'
import { libraryIn, type Library } from './library.ts'
import { startLibmacaroons } from './libmacaroons.ts'
import { type Measured, ratioRows } from './ratios.ts'
import { specimen, textsOf } from './specimen.ts'
import { CAVEAT_COUNTS, type Rival, RIVALS, type Task, tasksFor } from './tasks.ts'

/** Times of ours : times of theirs. */
const AIMS: Readonly<Record<Rival, number>> = { 'npm macaroon': 1, libmacaroons: 2 }
/** Not counted: compilers of JavaScript look at what runs often first. */
const WARM_UP_ROUNDS = 2

type Rivals = ReadonlyMap<Rival, Library>

/** `note` is told what could not be measured, and how it can. */
export async function measureMacaroons(
  folder: string,
  { macaroons }: Plan,
  note: (text: string) => void,
): Promise<Row[]> {
  const ours = libraryIn('ours-child.ts', 'ours', ['v2', 'v1', 'v2j'])
  const rivals = new Map<Rival, Library>([['npm macaroon', libraryIn('npm-child.ts', 'npm macaroon', ['v2j', 'v2'])]])
  try {
    const native = await startLibmacaroons(folder)
    if ('missing' in native) note(`not measured beside libmacaroons: ${native.missing}`)
    else rivals.set('libmacaroons', native)
    for (const caveats of CAVEAT_COUNTS) await prepare([ours, ...rivals.values()], caveats)
    const measured = await measureRounds(ours, rivals, macaroons)
    return RIVALS.flatMap((rival) => ratioRows(measured, rival, AIMS[rival]))
  } finally {
    await Promise.all([ours, ...rivals.values()].map((library) => library.end()))
  }
}

async function prepare(libraries: readonly Library[], caveats: number): Promise<void> {
  const made = specimen(caveats)
  for (const library of libraries) {
    await requireAgreement(library, made)
    await library.hold(textsOf(made, library.forms))
  }
}

async function measureRounds(
  ours: Library,
  rivals: Rivals,
  { rounds, seconds, milliseconds }: Plan['macaroons'],
): Promise<readonly Measured[]> {
  const cells = tasksFor([...rivals.keys()]).flatMap((task) => CAVEAT_COUNTS.map((caveats) => cellOf(task, caveats)))
  const endMs = performance.now() + seconds * 1_000
  for (let round = -WARM_UP_ROUNDS; round < rounds && (round < 1 || performance.now() < endMs); round += 1) {
    for (const { task, caveats, samples } of cells) {
      const params = { ...task, caveats, milliseconds }
      const ourNs = await ours.run(params)
      if (round >= 0) samples.ours.push(ourNs)
      for (const rival of task.rivals) {
        const ns = (await rivals.get(rival)?.run(params)) ?? Number.NaN
        if (round >= 0) samples.theirs.get(rival)?.push(ns)
      }
    }
  }
  return cells
}

function cellOf(task: Task, caveats: number) {
  const theirs = new Map(task.rivals.map((rival): [Rival, number[]] => [rival, []]))
  return { task, caveats, samples: { ours: [] as number[], theirs } }
}
