/**
 * Reads the chain of entries, from its newest base to its end. To find the end, it takes the highest listed number and reads
 * the following numbers by name, because in some buckets a list may lack a new object, but a read by name never does. From
 * there the chain is read backwards to the first base.
 *
 * A missing or unreadable entry above that base is damage: an older base would hide what came later. Objects below that base
 * are ignored, because a crash, or a primary that slept, may have left them there.
 */
import { MacaroondError } from '../errors.ts'
import { MANIFEST_DOCUMENT_BYTES_MAX } from '../limits.ts'
import { readClaim } from './epoch-claim.ts'
import { epochKey, manifestKey, MANIFEST_PREFIX, parseManifestKey } from './layout.ts'
import { decodeEntry, hashOfEntry, type ManifestEntry } from './manifest.ts'
import { emptyManifest, follow, type ManifestState } from './manifest-state.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce } from './storage.ts'

export interface ChainEntry {
  readonly entry: ManifestEntry
  readonly hash: string
  /** Size of its object. */
  readonly bytes: number
}

/** Number of entries that are read together. */
const READ_AT_ONCE = 256

/**
 * Number of attempts to read the chain. A reader finds an entry missing if the writer has just written a base and deleted it.
 */
const READ_ATTEMPTS = 3

/**
 * Returns the entries, ascending. It checks the signature and the number of each, but not that they follow each other.
 * `known` is the number of an entry that existed before, even if the list lacks it. Throws archive_damaged.
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

/**
 * Reads and checks the whole chain; the state is empty if there is no manifest. `known` is the number of an entry that exists,
 * even if the list lacks it. Throws archive_damaged.
 */
export async function readManifest(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  known: number = 0,
): Promise<ManifestState> {
  return (await followChain(storage, publicKey, known)).state
}

/** Returns the state after the whole chain, and the chain from its newest base on. Throws archive_damaged. */
export async function followChain(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  known: number,
): Promise<{ readonly state: ManifestState; readonly chain: readonly ChainEntry[] }> {
  const chain = await readChain(storage, publicKey, known)
  let state = emptyManifest()
  for (const { entry, hash } of chain) state = follow(state, entry, hash)
  await requireClaimed(storage, publicKey, chain)
  return { state, chain }
}

interface EntryNumbers {
  /** The highest and the lowest number; 0 if there is no entry. */
  readonly end: number
  readonly lowest: number
  /** Content of entries that the list lacked. */
  readonly readByName: ReadonlyMap<number, Buffer>
}

async function findEntries(storage: ArchiveStorage, known: number): Promise<EntryNumbers> {
  const listed = await listEntryNumbers(storage)
  const readByName = new Map<number, Buffer>()
  for (let end = Math.max(known, listed.at(-1) ?? 0); ; end += 1) {
    const bytes = await storage.get(manifestKey(end + 1))
    if (bytes === undefined) return { end, lowest: listed[0] ?? Math.min(1, end), readByName }
    readByName.set(end + 1, bytes)
  }
}

/** Lists the numbers of all entries, ascending. */
export async function listEntryNumbers(storage: ArchiveStorage): Promise<readonly number[]> {
  const objects = await storage.list(MANIFEST_PREFIX)
  return objects.flatMap(({ key }) => parseManifestKey(key) ?? [])
}

function rangeOf(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}

/** Returns the entries, or the number of a missing one. */
async function backToBase(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  { end, lowest, readByName }: EntryNumbers,
): Promise<readonly ChainEntry[] | number> {
  const newestFirst: ChainEntry[] = []
  for (let top = end; top >= 1;) {
    const bottom = Math.max(top >= lowest ? lowest : 1, top - READ_AT_ONCE + 1)
    const numbers = rangeOf(bottom, top).toReversed()
    // A read error counts only above the newest base, so it is kept until its number has its turn.
    const read = async (number: number): Promise<Buffer | Error | undefined> =>
      readByName.get(number) ?? storage.get(manifestKey(number)).catch((error: Error) => error)
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

/** Reads one entry by its name; undefined if there is none. Throws archive_damaged. */
export async function readEntry(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  number: number,
): Promise<ChainEntry | undefined> {
  const bytes = await storage.get(manifestKey(number))
  return bytes === undefined ? undefined : chainEntry(bytes, publicKey, number)
}

/** Turns archive_damaged into undefined, so that a damaged object is treated like a missing one. */
export async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return undefined
    throw error
  }
}

/** Decodes an entry and checks its number. Throws archive_damaged. */
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

/** Checks that the claim of each entry's epoch names the entry's timeline. Throws archive_damaged. */
export async function requireClaimed(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  chain: readonly ChainEntry[],
): Promise<void> {
  const firstOfEpoch = new Map(chain.toReversed().map(({ entry }) => [entry.epoch, entry]))
  for (const { epoch, timeline, seq } of firstOfEpoch.values()) {
    const claim = await readClaim(storage, publicKey, epoch)
    if (claim === undefined) throw missingClaim(storage, epoch)
    if (claim.timeline !== timeline) throw unclaimedEntries(epoch, seq)
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
    `the claim of epoch ${epoch} is missing in the archive ${location}, so nothing proves which timeline owns the epoch`,
    {
      hint: `the primary that leads writes it again at its next heartbeat or start; if none runs, put ${epochKey(epoch)} back from a copy`,
    },
  )
}

export function unclaimedEntries(epoch: number, first?: number): MacaroondError {
  const what = first === undefined ? `entries of epoch ${epoch} belong` : `entry ${first} of the manifest belongs`
  return new MacaroondError('archive_damaged', `${what} to a timeline that did not claim epoch ${epoch}`, {
    hint: 'it was copied from the archive of another cluster with the same key: use another copy of the archive',
  })
}
