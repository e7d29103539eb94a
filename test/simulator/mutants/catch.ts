/** Plants one bug after the other and counts the seeds until the promise that it breaks is seen broken. */
import { join } from 'node:path'
import { MacaroondError } from '../../../shared/errors.ts'
import { addEvidence, commitAndDate } from '../../evidence/file.ts'
import { runSeeds } from '../children.ts'
import type { Options } from '../options.ts'
import type { Order, SeedReport } from '../seeds-child.ts'
import { MUTANTS, type SimulatedMutant } from './list.ts'

interface Outcome {
  readonly mutant: SimulatedMutant
  /** Undefined when none of the seeds has shown it. */
  readonly seeds: number | undefined
  readonly others: readonly string[]
}

/** Resolves with the exit status. */
export async function catchMutants(order: Order, options: Options, say: (line: string) => void): Promise<number> {
  const chosen = MUTANTS.filter(({ name }) => name.includes(options.mutant))
  if (chosen.length === 0) {
    const hint = `there are: ${MUTANTS.map(({ name }) => name).join('; ')}`
    throw new MacaroondError('request_invalid', `no mutant is named like "${options.mutant}"`, { hint })
  }
  const waiting = [...chosen]
  const run = options.evidence === undefined ? undefined : commitAndDate()
  const outcomes: Outcome[] = []
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const outcome = await hunt(mutant, { ...order, folder: join(order.folder, `${chosen.indexOf(mutant)}`) })
      outcomes.push(outcome)
      say(outcomeText(outcome, order.seeds))
      const { name, breaks } = mutant
      if (run !== undefined && options.evidence !== undefined)
        addEvidence(options.evidence, {
          t: 'mutant',
          by: 'simulator',
          ...run,
          name,
          breaks,
          seeds: outcome.seeds ?? null,
        })
    }
  }
  await Promise.all(Array.from({ length: options.processes }, work))
  const caught = outcomes.filter(({ seeds }) => seeds !== undefined).length
  say(`${caught} of ${chosen.length} planted bugs were caught`)
  return caught === chosen.length ? 0 : 1
}

async function hunt(mutant: SimulatedMutant, order: Order): Promise<Outcome> {
  const reports: SeedReport[] = []
  let ended = ''
  await runSeeds(
    { ...order, steps: mutant.steps ?? order.steps, filter: mutant.filter ?? {}, until: mutant.breaks },
    (report) => reports.push(report),
    mutant,
  ).catch((error: unknown) => {
    ended = String(error)
  })
  const others = new Set(reports.flatMap(({ failures }) => failures.map((text) => text.split(':', 1)[0] ?? text)))
  if (ended !== '') others.add(ended)
  const isCaught = others.delete(mutant.breaks)
  return { mutant, seeds: isCaught ? reports.length : undefined, others: [...others] }
}

function outcomeText({ mutant, seeds, others }: Outcome, most: number): string {
  const also = others.length === 0 ? '' : ` (also: ${others.join(', ')})`
  const after = seeds === undefined ? `NOT CAUGHT in ${most} seeds` : `caught after ${seeds} seeds`
  return `${after}: ${mutant.name}: ${mutant.breaks}${also}`
}
