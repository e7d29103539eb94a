/**
 * Checks that a place holds the archive of this database. A folder whose mount is missing is empty and looks like a new
 * archive. The database records an entry of the chain, not the path. So the archive may move: a place that holds this entry, or
 * a chain that continues it, is the right one.
 */
import { readClaim } from '../../../shared/archive/epoch-claim.ts'
import { manifestKey } from '../../../shared/archive/layout.ts'
import { hashOfEntry } from '../../../shared/archive/manifest.ts'
import type { ChainLink } from './manifest-writer.ts'
import { listEntryNumbers, readEntry, unlessDamaged } from '../../../shared/archive/read-chain.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch, Timeline } from '../../../shared/ids.ts'

export interface Whose {
  readonly publicKey: Uint8Array
  readonly epoch: Epoch
  readonly timeline: Timeline
}

/**
 * Returns the recorded entry that the place holds, or else the first recorded one. A place with the claim of this epoch is
 * right although entries may be lost; that is damage, and not a wrong place. Throws archive_missing.
 */
export async function requireKnownPlace(
  storage: ArchiveStorage,
  known: readonly [ChainLink, ...ChainLink[]],
  whose: Whose,
): Promise<ChainLink> {
  for (const link of known) if (await holds(storage, link)) return link
  const [first] = known
  const numbers = await listEntryNumbers(storage)
  if ((await isClaimed(storage, whose)) || (await goesOn(storage, numbers, first, whose))) return first
  throw notThere(storage, first, numbers.length > 0)
}

async function holds(storage: ArchiveStorage, { entry, hash }: ChainLink): Promise<boolean> {
  const bytes = await unlessDamaged(storage.get(manifestKey(entry)))
  return bytes !== undefined && hashOfEntry(bytes) === hash
}

async function isClaimed(storage: ArchiveStorage, { publicKey, epoch }: Whose): Promise<boolean> {
  const claim = await unlessDamaged(readClaim(storage, publicKey, epoch))
  return claim !== undefined
}

/** True if the newest entry is of our history. The claim may be lost, and a base may have deleted the recorded entry. */
async function goesOn(
  storage: ArchiveStorage,
  numbers: readonly number[],
  { entry }: ChainLink,
  { publicKey, epoch, timeline }: Whose,
): Promise<boolean> {
  const newest = numbers.at(-1) ?? 0
  const read = newest < entry ? undefined : await unlessDamaged(readEntry(storage, publicKey, newest))
  return read?.entry.epoch === epoch && read.entry.timeline === timeline
}

function notThere({ location }: ArchiveStorage, { entry }: ChainLink, isOther: boolean): MacaroondError {
  const what = isOther ? 'another archive is there' : 'it is empty'
  return new MacaroondError(
    'archive_missing',
    `the archive that this database knows, up to entry ${entry}, is not at ${location}: ${what}`,
    { hint: 'mount it, or put it back, and archiving resumes by itself; to begin a new archive: --new-archive' },
  )
}
