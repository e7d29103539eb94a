/** The journal of a copied replica: does it end where its replica ended it? A crash may tear it, and so may somebody who cuts it. */
import { decodeJournal } from '../../replica/revocations/journal-records.ts'
import { RESERVED_BYTES } from '../../replica/revocations/journal.ts'
import type { NodeCopy } from './scratch.ts'

/** Throws what the journal's decoder throws. */
export function journalRemarks({ role, journal }: Pick<NodeCopy, 'role' | 'journal'>): readonly string[] {
  if (role === 'primary') return []
  if (journal === undefined) return ['no journal lies beside it, and revocations ahead of its pages would be in there']
  const rest = journal.subarray(decodeJournal(journal).end)
  if (rest.some((byte) => byte !== 0)) return ['its journal ends like a crash, in the middle of a record']
  // A replica writes zeros ahead, so that a full disk keeps no revocation out.
  if (rest.length >= RESERVED_BYTES / 2) return []
  return ['its journal ends like a crash: the space that a replica keeps behind the last record is not there']
}
