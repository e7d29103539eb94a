/** Planted bugs of restores, repairs and their evidence. */
import type { CoreMutant } from '../core-mutant.ts'

export const RESTORE_MUTANTS: readonly CoreMutant[] = [
  {
    name: 'a copy that a restore reads is not compared with its own record',
    file: 'ops/restore/comparison.ts',
    find: "differsFrom(pages, own.position, 'its record') ?? archiveDiffers(pages, standings, archived)",
    replace: 'archiveDiffers(pages, standings, archived)',
    by: 'test/ops/restore/comparison.test.ts',
  },
  {
    name: 'the record of a copy is not compared with what the authority signed',
    file: 'ops/restore/comparison.ts',
    find: "const problem = differsFrom(signed, position, 'the signature')",
    replace: 'const problem = undefined as string | undefined',
    by: 'test/ops/restore/comparison.test.ts',
  },
  {
    name: 'a replica that was configured and did not answer is no reason to ask for the head',
    file: 'ops/restore/witness.ts',
    find: 'if (missing.length === 0 && configured.replicas.length > 0)',
    replace: 'if (missing.length < configured.replicas.length)',
    by: 'test/ops/restore/witness.test.ts',
  },
  {
    name: 'a clock that one replica makes up becomes the issue clock of a restored database',
    file: 'ops/restore/bounds.ts',
    find: 'issueClockMs: isClock ? issueClockMs : 0,',
    replace: 'issueClockMs,',
    by: 'test/ops/restore/witness.test.ts',
  },
  {
    name: 'a third party that was removed comes back with a restore',
    file: 'ops/restore/new-epoch.ts',
    find: "db.prepare('DELETE FROM third_parties WHERE name = ?').run(name)",
    replace: 'void name',
    by: 'test/ops/restore/new-epoch.test.ts',
  },
  {
    name: 'a restore takes from a replica what no primary understands',
    file: 'ops/restore/replica-evidence.ts',
    find: 'revocations.push(requireUnderstood(columns))',
    replace: 'revocations.push(columns)',
    by: 'test/ops/restore/lying-replica.test.ts',
  },
  {
    name: 'a restore takes the end of a token from whoever tells it first',
    file: 'ops/restore/carry-over.ts',
    find: 'revocations.push({ ...row, expires_at: ends.get(name) ?? 0 })',
    replace: 'revocations.push(row)',
    by: 'test/ops/restore/lying-replica.test.ts',
  },
  {
    name: 'a restored history owes what the abandoned one was asked for',
    file: 'ops/restore/new-epoch.ts',
    find: "if (due.length > 0) db.exec('DELETE FROM due_cut_offs')",
    replace: '',
    by: 'test/ops/restore/new-epoch.test.ts',
  },
  {
    name: 'what nobody signed keeps the numbers that it came with',
    file: 'ops/restore/new-epoch.ts',
    find: 'insertUnsigned(db, { ...one, timeline })',
    replace: 'insertUnsigned(db, { ...{ timeline }, ...one })',
    by: 'test/ops/restore/new-epoch.test.ts',
  },
  {
    name: 'a repair takes a transaction of another program for the primary’s',
    file: 'ops/repair/wal-rest.ts',
    find: 'if (meta?.epoch === epoch && meta.txid === txid + 1) return true',
    replace: 'if (meta?.epoch === epoch) return true',
    by: 'test/ops/repair/rebuild-pages.test.ts',
  },
  {
    name: 'a repair passes a replica over that is beyond',
    file: 'ops/restore/repaired.ts',
    find: 'return comparePositions(stated, rebuilt) > 0 ?',
    replace: 'return comparePositions(stated, rebuilt) > 1_000 ?',
    by: 'test/ops/restore/repaired.test.ts',
  },
]
