/**
 * The chain of entries, from its newest base to its end. The end is the highest number that is listed, and what follows it by
 * name: some buckets list late, but none reads late. From there the chain is read backwards to the first base. A hole on the
 * way, or an object that is no entry, is damage; it is never a reason to look for an older base. Whatever lies below that base
 * counts for nothing: a crash, or a primary that slept, may have left it there.
 */
import { MacaroondError } from '../errors.ts'
import { MANIFEST_DOCUMENT_BYTES_MAX } from '../limits.ts'
import { readClaim } from './epoch-claim.ts'
import { epochKey, manifestKey, MANIFEST_PREFIX, parseManifestKey } from './layout.ts'
import { decodeEntry, hashOfEntry, type ManifestEntry } from './manifest.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce } from './storage.ts'

export interface ChainEntry {
  readonly entry: ManifestEntry
  readonly hash: string
  /** Of its file. */
  readonly bytes: number
}

/** Entries read at once. */
const READ_AT_ONCE = 256

/** While the chain is read, its writer may begin it anew with a base and delete what came before: then it is listed again. */
const READ_ATTEMPTS = 3

/**
 * Ascending. Each is signed and lies under its own number; that they follow each other is not checked here. `known` is the
 * number of an entry that was there before, whatever is listed now. Throws archive_damaged.
 */
export async function readChain(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  known: number,
): Promise<readonly ChainEntry[]> {
  for (let attempt = 1; ; attempt += 1) {
    const chain = await backToBase(storage, publicKey, await findEntries(storage, known))
    if (typeof chain !== 'number') return chain
    if (attempt === READ_ATTEMPTS) throw missingEntry(storage, chain)
  }
}

interface Found {
  /** The highest and the lowest number that were found; 0 for none. */
  readonly end: number
  readonly lowest: number
  /** Bytes of the entries that were not listed. */
  readonly unlisted: ReadonlyMap<number, Buffer>
}

async function findEntries(storage: ArchiveStorage, known: number): Promise<Found> {
  const listed = await listEntryNumbers(storage)
  const unlisted = new Map<number, Buffer>()
  for (let end = Math.max(known, listed.at(-1) ?? 0); ; end += 1) {
    const bytes = await storage.get(manifestKey(end + 1))
    if (bytes === undefined) return { end, lowest: listed[0] ?? Math.min(1, end), unlisted }
    unlisted.set(end + 1, bytes)
  }
}

/** Ascending. */
export async function listEntryNumbers(storage: ArchiveStorage): Promise<readonly number[]> {
  const objects = await storage.list(MANIFEST_PREFIX)
  return objects.flatMap(({ key }) => parseManifestKey(key) ?? [])
}

function rangeOf(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}

/** The number of an entry that is not there, if one is missing. */
async function backToBase(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  { end, lowest, unlisted }: Found,
): Promise<readonly ChainEntry[] | number> {
  const newestFirst: ChainEntry[] = []
  for (let top = end; top >= 1;) {
    const bottom = Math.max(top >= lowest ? lowest : 1, top - READ_AT_ONCE + 1)
    const numbers = rangeOf(bottom, top).toReversed()
    // An object that cannot be read is an error only above the newest base.
    const read = async (number: number): Promise<Buffer | Error | undefined> =>
      unlisted.get(number) ?? storage.get(manifestKey(number)).catch((error: Error) => error)
    for (const [index, bytes] of (await inParallel(numbers, requestsAtOnce(storage), read)).entries()) {
      const number = numbers[index]!
      if (bytes === undefined) return number
      if (bytes instanceof Error) throw bytes
      newestFirst.push(chainEntry(bytes, publicKey, number))
      if (newestFirst.at(-1)?.entry.base === true) return newestFirst.toReversed()
    }
    top = bottom - 1
  }
  return newestFirst.toReversed()
}

/** By its name. Undefined if there is none; throws archive_damaged. */
export async function readEntry(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  number: number,
): Promise<ChainEntry | undefined> {
  const bytes = await storage.get(manifestKey(number))
  return bytes === undefined ? undefined : chainEntry(bytes, publicKey, number)
}

/** Undefined for an object that is damaged, as for one that is not there. */
export async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return undefined
    throw error
  }
}

/** Throws archive_damaged. */
export function chainEntry(bytes: Buffer, publicKey: Uint8Array, number: number): ChainEntry {
  const key = manifestKey(number)
  if (bytes.length > MANIFEST_DOCUMENT_BYTES_MAX)
    throw new MacaroondError('archive_damaged', `${key} is larger than an entry may be`)
  const entry = decodeEntry(bytes, publicKey, key)
  if (entry.seq === number) return { entry, hash: hashOfEntry(bytes), bytes: bytes.length }
  throw new MacaroondError('archive_damaged', `${key} holds entry ${entry.seq} of the manifest`, {
    hint: 'entries were moved: use another copy of the archive',
  })
}

/** An entry counts only if the claim of its epoch names its timeline. Throws archive_damaged. */
export async function requireClaimed(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  chain: readonly ChainEntry[],
): Promise<void> {
  const firstOfEpoch = new Map(chain.toReversed().map(({ entry }) => [entry.epoch, entry]))
  for (const { epoch, timeline, seq } of firstOfEpoch.values()) {
    const claim = await readClaim(storage, publicKey, epoch)
    if (claim === undefined) throw missingClaim(storage, epoch)
    if (claim.timeline !== timeline) throw unclaimedEntry(seq, epoch)
  }
}

export function missingEntry({ location }: ArchiveStorage, number: number): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `entry ${number} of the manifest is missing in the archive ${location}`,
    {
      hint: `put ${manifestKey(number)} back from a copy of the archive`,
    },
  )
}

function missingClaim({ location }: ArchiveStorage, epoch: ManifestEntry['epoch']): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `the claim of epoch ${epoch} is missing in the archive ${location}, so nothing says whose its entries are`,
    {
      hint: `the primary of that epoch puts it back at its next heartbeat; or put ${epochKey(epoch)} back from a copy`,
    },
  )
}

function unclaimedEntry(seq: number, epoch: number): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `entry ${seq} of the manifest is of a timeline that did not claim epoch ${epoch}`,
    {
      hint: 'it was brought here from the archive of another cluster with the same key: use another copy of the archive',
    },
  )
}
