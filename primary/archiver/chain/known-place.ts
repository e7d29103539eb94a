/**
 * Checks that a place holds the archive of this database. Without its mount, a mount point is an empty folder and looks like a
 * new archive. The database records an entry of the chain and not the path, so that an archive may move: any place with this
 * entry, or with a chain that continues it, is the right one.
 */
import { readClaim } from '../../../shared/archive/epoch-claim.ts'
import { manifestKey } from '../../../shared/archive/layout.ts'
import { hashOfEntry } from '../../../shared/archive/manifest.ts'
import type { ChainLink } from './manifest-writer.ts'
import { listEntryNumbers, readEntry, unlessDamaged } from '../../../shared/archive/read-chain.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch, Timeline } from '../../../shared/ids.ts'

export interface ChainOwner {
  readonly publicKey: Uint8Array
  readonly epoch: Epoch
  readonly timeline: Timeline
}

/**
 * Returns the first of the recorded entries that the place holds. If it holds none but has the claim of this epoch or a later
 * entry of ours, it is our archive with damage: returns the first recorded entry. Throws archive_missing.
 */
export async function requireKnownPlace(
  storage: ArchiveStorage,
  known: readonly [ChainLink, ...ChainLink[]],
  owner: ChainOwner,
): Promise<ChainLink> {
  for (const link of known) if (await holds(storage, link)) return link
  const [first] = known
  const numbers = await listEntryNumbers(storage)
  if ((await isClaimed(storage, owner)) || (await continuesHistory(storage, numbers, first, owner))) return first
  throw archiveMissing(storage, first, numbers.length > 0)
}

async function holds(storage: ArchiveStorage, { entry, hash }: ChainLink): Promise<boolean> {
  const bytes = await unlessDamaged(storage.get(manifestKey(entry)))
  return bytes !== undefined && hashOfEntry(bytes) === hash
}

async function isClaimed(storage: ArchiveStorage, { publicKey, epoch }: ChainOwner): Promise<boolean> {
  const claim = await unlessDamaged(readClaim(storage, publicKey, epoch))
  return claim !== undefined
}

/**
 * True if the newest entry is of our own history. It identifies an archive whose claim is lost and whose base deleted our
 * entry.
 */
async function continuesHistory(
  storage: ArchiveStorage,
  numbers: readonly number[],
  { entry }: ChainLink,
  { publicKey, epoch, timeline }: ChainOwner,
): Promise<boolean> {
  const newest = numbers.at(-1) ?? 0
  const read = newest < entry ? undefined : await unlessDamaged(readEntry(storage, publicKey, newest))
  return read?.entry.epoch === epoch && read.entry.timeline === timeline
}

function archiveMissing({ location }: ArchiveStorage, { entry }: ChainLink, isOther: boolean): MacaroondError {
  const what = isOther ? 'another archive is there' : 'it is empty'
  return new MacaroondError(
    'archive_missing',
    `the archive that this database recorded, with entry ${entry} or a later one, is not at ${location}: ${what}`,
    { hint: 'mount it, or put it back, and archiving resumes by itself; to begin a new archive: --new-archive' },
  )
}
