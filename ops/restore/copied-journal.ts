/**
 * Checks whether the journal of a copied replica ends as its replica left it. A journal that is cut short, by a crash or by an
 * intruder, may lack revocations, which the operator must know.
 */
import { decodeJournal } from '../../replica/revocations/journal-records.ts'
import { RESERVED_BYTES } from '../../replica/revocations/journal.ts'
import type { NodeCopy } from './scratch.ts'

/** Remarks for the operator, in words. Throws log_corrupt. */
export function journalRemarks({ role, journal }: Pick<NodeCopy, 'role' | 'journal'>): readonly string[] {
  if (role === 'primary') return []
  if (journal === undefined) return ['it has no journal, which would contain the revocations ahead of its pages']
  const rest = journal.subarray(decodeJournal(journal).end)
  if (rest.some((byte) => byte !== 0)) return ['its journal ends as after a crash, in the middle of a record']
  // A replica fills space ahead with zeros, so that a full disk cannot prevent it from writing a revocation.
  if (rest.length >= RESERVED_BYTES / 2) return []
  return ['its journal ends as after a crash: the reserved space after the last record is missing']
}
