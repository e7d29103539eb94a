/** Planted bugs of the archive's chain, claims and retention. */
import type { CoreMutant } from '../core-mutant.ts'

export const ARCHIVE_MUTANTS: readonly CoreMutant[] = [
  {
    name: 'nobody looks at the claim of the next epoch after an entry was won',
    file: 'primary/archiver/chain/manifest-writer.ts',
    find: 'if (next !== undefined) throw fenced(storage, next.epoch)',
    replace: '',
    by: 'test/primary/archiver/chain/fence.test.ts',
  },
  {
    name: 'claims of epochs leave a gap',
    file: 'primary/archiver/chain/claim-epoch.ts',
    find: 'for (const epoch of await unclaimedUpTo(storage, claim.epoch)) await createClaim(storage, { ...claim, epoch }, key)',
    replace: 'await createClaim(storage, claim, key)',
    by: 'test/primary/archiver/chain/claims.test.ts',
  },
  {
    name: 'a base deletes the newest entries first',
    file: 'primary/archiver/chain/manifest-writer.ts',
    find: 'for (const number of await listEntryNumbers(storage))',
    replace: 'for (const number of (await listEntryNumbers(storage)).toReversed())',
    by: 'test/primary/archiver/chain/chain-end.test.ts',
  },
  {
    name: 'entries of a timeline that claimed nothing count',
    file: 'shared/archive/read-chain.ts',
    find: 'if (claim.timeline !== timeline) throw unclaimedEntry(seq, epoch)',
    replace: '',
    by: 'test/primary/archiver/chain/claims.test.ts',
  },
  {
    name: 'retention deletes names that a later primary may give again',
    file: 'primary/archiver/files/retain.ts',
    find: 'maxTxid <= (reached.get(level) ?? 0)',
    replace: 'maxTxid <= archived',
    by: 'test/primary/archiver/chain/chain-end.test.ts',
  },
  {
    name: 'an empty place is the archive, whatever the database remembers',
    file: 'primary/archiver/chain/known-place.ts',
    find: 'throw archiveMissing(storage, first, numbers.length > 0)',
    replace: 'return first',
    by: 'test/primary/archiver/chain/known-place.test.ts',
  },
  {
    name: 'of a damaged manifest the entries of a timeline that claimed nothing count',
    file: 'shared/archive/salvage.ts',
    find: 'claims.get(one.entry.epoch)?.isForeign !== true',
    replace: 'claims.get(one.entry.epoch) !== undefined',
    by: 'test/shared/archive/salvage.test.ts',
  },
  {
    name: 'a claim is believed without reading it back',
    file: 'primary/archiver/chain/claim-epoch.ts',
    find: 'if (created && (await storage.get(name)) === undefined) throw notWritten(storage, name)',
    replace: '',
    by: 'test/primary/archiver/chain/claims.test.ts',
  },
  {
    name: 'a chain begins anew at the first name that is free',
    file: 'primary/archiver/chain/manifest-writer.ts',
    find: 'seq: Math.max(above, known?.entry ?? 0) + 1, previous',
    replace: 'seq: 1, previous',
    by: 'test/primary/archiver/chain/wounds.test.ts',
  },
]
