/**
 * Is this the place that holds the archive of this database? A mount that is not mounted is an empty folder, and looks like a
 * new archive. The database remembers an entry of the manifest, not the path: a place that holds it, or goes on from it, is
 * the place, wherever it lies now.
 */
import { readClaim } from '../../shared/archive/epoch-claim.ts'
import { manifestKey } from '../../shared/archive/layout.ts'
import { hashOfEntry } from '../../shared/archive/manifest.ts'
import type { ChainLink } from '../../shared/archive/manifest-store.ts'
import { listEntryNumbers, readEntry, unlessDamaged } from '../../shared/archive/read-chain.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Epoch, Timeline } from '../../shared/ids.ts'

export interface Whose {
  readonly publicKey: Uint8Array
  readonly epoch: Epoch
  readonly timeline: Timeline
}

/**
 * The entry that is known and that the place holds, or else the first one. A wound is none of this: where the claim of this
 * epoch is, the place is right, and entries may be lost. Throws archive_missing.
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

/** The claim may have been lost, and a base may have deleted what is known. */
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
  const what = isOther ? 'another archive lies there' : 'it is empty'
  return new MacaroondError(
    'archive_missing',
    `the archive that this database knows, up to entry ${entry}, is not at ${location}: ${what}`,
    { hint: 'mount it, or put it back, and archiving goes on by itself; to begin a new archive: --new-archive' },
  )
}
