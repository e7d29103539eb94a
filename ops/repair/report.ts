/** The result of a repair, as lines and as a JSON document. Each result names the operator's next step. */
import { restoredDocument } from '../restore/report.ts'
import type { repair } from './repair.ts'

type RepairResult = NonNullable<Awaited<ReturnType<typeof repair>>>

export function repairDocument(repaired: RepairResult): object {
  const { kind: result } = repaired
  if (repaired.kind !== 'repaired') return { result, ...('aside' in repaired ? { aside: repaired.aside } : {}) }
  return { result, aside: repaired.aside, ...restoredDocument(repaired, repaired.file) }
}

export function repairLines(repaired: RepairResult): readonly string[] {
  const notes = repaired.left === undefined ? [] : [`note: ${repaired.left}`]
  if (repaired.kind === 'sound')
    return [
      ...notes,
      'nothing is damaged: every page is what this primary wrote, and no other place has more transactions: start it',
    ]
  const kept = `the damaged files are kept in ${repaired.aside}: delete them when you are sure`
  const next = 'next: start the primary; replicas take a snapshot of it by themselves'
  if (repaired.kind === 'finished') return ['an interrupted repair is now finished', kept, next]
  const { begun, file } = repaired
  const what = begun === undefined ? '' : `: epoch ${begun.epoch} begins at transaction ${begun.txid}`
  return [...notes, `repaired ${file}${what}`, kept, next]
}
