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
    find: 'isLeading ? await unclaimedUpTo(storage, claim.epoch) : []',
    replace: 'isLeading ? [claim.epoch] : []',
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
    find: 'if (claim.timeline !== timeline) throw unclaimedEntries(epoch, seq)',
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
    file: 'shared/archive/entry-claims.ts',
    find: "return claim !== undefined && 'timeline' in claim && claim.timeline !== timeline",
    replace: 'return claim === undefined && timeline === undefined',
    by: 'test/shared/archive/salvage.test.ts',
  },
  {
    name: 'a lost claim goes to the primary that finds it missing',
    file: 'primary/archiver/chain/claim-epoch.ts',
    find: 'createClaim(storage, { ...own, ...owner, epoch }, key)',
    replace: 'createClaim(storage, { ...own, epoch }, key)',
    by: 'test/primary/archiver/chain/lost-claims.test.ts',
  },
  {
    name: 'the heartbeat looks only for the claim of its own epoch',
    file: 'primary/archiver/chain/manifest-writer.ts',
    find: 'for (const owner of [...this.#earlierOwners(), [epoch, timeline] as const])',
    replace: 'for (const owner of [[epoch, timeline] as const])',
    by: 'test/primary/archiver/chain/lost-claims.test.ts',
  },
  {
    name: 'files that only entries without a claim name are not counted as lost',
    file: 'primary/archiver/chain/repair.ts',
    find: 'state.files.size - existing.length + unused.length',
    replace: 'state.files.size - existing.length + 0 * unused.length',
    by: 'test/primary/archiver/chain/lost-claims.test.ts',
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
