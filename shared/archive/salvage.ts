/**
 * Reads as much of a damaged manifest as possible. Each entry has its own signature, so each readable entry is proven by
 * itself. A file that only a lost entry named is not used.
 */
import { MacaroondError } from '../errors.ts'
import { type ClaimsOfEpochs, claimProblems, isForeign, readClaims } from './entry-claims.ts'
import { listClaims } from './epoch-claim.ts'
import { type ArchivedFile, manifestKey } from './layout.ts'
import type { ManifestEntry } from './manifest.ts'
import { listSegmentFiles } from './read-file.ts'
import { applyEntry, emptyManifest, linkProblem, type ManifestState, historyProblem } from './manifest-state.ts'
import { type ChainEntry, listEntryNumbers, readEntry, readManifest } from './read-chain.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce } from './storage.ts'

export interface Salvaged {
  readonly state: ManifestState
  /** Describes the faults of the manifest; empty if it is complete. */
  readonly problems: readonly string[]
  /** The highest number whose key is taken, by any object. */
  readonly highest: number
  /** Files that only entries of a timeline name that did not claim its epoch. They are not used. */
  readonly unused: readonly ArchivedFile[]
}

/**
 * `known` is the number of an entry that existed before, even if the list lacks it. Throws archive_damaged if no entry is
 * readable.
 */
export async function salvageManifest(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  known: number = 0,
): Promise<Salvaged> {
  try {
    const state = await readManifest(storage, publicKey, known)
    return { state, problems: [], highest: state.seq, unused: [] }
  } catch (error) {
    if (!isDamage(error)) throw error
    const salvaged = await salvage(storage, publicKey, known)
    if (salvaged.state.seq === 0 && salvaged.highest > 0) throw error
    return salvaged.problems.length > 0 ? salvaged : { ...salvaged, problems: [error.message] }
  }
}

/** Returns the given files that exist, by their names and sizes. */
export async function filesThere(
  storage: ArchiveStorage,
  files: Iterable<ArchivedFile>,
): Promise<readonly ArchivedFile[]> {
  const sizes = new Map((await listSegmentFiles(storage)).map(({ key, bytes }) => [key, bytes]))
  return [...files].filter(({ key, bytes }) => sizes.get(key) === bytes)
}

/** Returns the highest claimed epoch. It reads names only, because the claim itself may be damaged. */
export async function highestClaimedName(storage: ArchiveStorage): Promise<number> {
  return (await listClaims(storage)).at(-1) ?? 0
}

type ReadResult = ChainEntry | { readonly problem: string }

async function salvage(storage: ArchiveStorage, publicKey: Uint8Array, known: number): Promise<Salvaged> {
  const numbers = await listEntryNumbers(storage)
  const { found, claims } = await fromNewestBase(storage, publicKey, numbers)
  const problems = [...claimProblems(claims, entriesIn(found))]
  const foreign = new Map<string, ArchivedFile>()
  let state = emptyManifest()
  let before = 0
  for (const [number, one] of found) {
    if (before > 0 && number > before + 1) problems.push(missing(before + 1, number - 1))
    before = number
    if ('problem' in one) problems.push(one.problem)
    else if (isForeign(one.entry, claims)) noteFiles(foreign, one.entry)
    else state = applyReadable(state, one, problems)
  }
  if (state.seq > 0 && state.base.seq === 0 && numbers[0] !== 1) problems.unshift(missing(1, (numbers[0] ?? 1) - 1))
  const highest = numbers.at(-1) ?? 0
  if (known > highest) problems.push(missing(highest + 1, known))
  const unused = [...foreign.values()].filter(({ key }) => !state.files.has(key))
  return { state, problems, highest, unused }
}

/** Adds the files that an unused entry names, and deletes those that it removes. */
function noteFiles(files: Map<string, ArchivedFile>, { added, removed }: ManifestEntry): void {
  for (const file of added) files.set(file.key, file)
  for (const key of removed) files.delete(key)
}

/**
 * Returns the entries that can be read, ascending, from the newest base on. Each is proven by its signature, and none belongs
 * to a timeline whose epoch another one claimed. A damaged chain has gaps between them.
 */
export async function readableEntries(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
): Promise<readonly ManifestEntry[]> {
  const { found, claims } = await fromNewestBase(storage, publicKey, await listEntryNumbers(storage))
  return entriesIn(found).filter((entry) => !isForeign(entry, claims))
}

type Found = readonly (readonly [number, ReadResult])[]

function entriesIn(found: Found): readonly ManifestEntry[] {
  return found.flatMap(([, one]) => ('entry' in one ? [one.entry] : []))
}

/** Reads the entries from the newest usable base on, ascending by number, and the claims of their epochs. */
async function fromNewestBase(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  numbers: readonly number[],
): Promise<{ readonly found: Found; readonly claims: ClaimsOfEpochs }> {
  const all = await inParallel(numbers, requestsAtOnce(storage), async (number) => {
    return [number, await read(storage, publicKey, number)] as const
  })
  const claims = await readClaims(storage, publicKey, entriesIn(all))
  const base = all.findLastIndex(([, one]) => 'entry' in one && one.entry.base && !isForeign(one.entry, claims))
  return { found: all.slice(Math.max(0, base)), claims }
}

async function read(storage: ArchiveStorage, publicKey: Uint8Array, number: number): Promise<ReadResult> {
  try {
    return (await readEntry(storage, publicKey, number)) ?? { problem: missing(number, number) }
  } catch (error) {
    if (!isDamage(error)) throw error
    return { problem: error.message }
  }
}

/** Applies an entry, also after a gap, because it is signed. Skips one that cannot belong to this history. */
function applyReadable(state: ManifestState, { entry, hash }: ChainEntry, problems: string[]): ManifestState {
  const stranger = historyProblem(state, entry)
  if (stranger !== undefined) problems.push(`entry ${entry.seq} of the manifest does not follow: ${stranger}`)
  if (stranger !== undefined) return state
  const isNext = state.seq > 0 && state.seq === entry.seq - 1
  const link = isNext && !entry.base ? linkProblem(state, entry) : undefined
  if (link !== undefined) problems.push(`entry ${entry.seq} of the manifest does not follow: ${link}`)
  return applyEntry(state, entry, hash)
}

function missing(first: number, last: number): string {
  return first === last
    ? `entry ${first} of the manifest (${manifestKey(first)}) is missing`
    : `entries ${first}-${last} of the manifest are missing`
}

function isDamage(error: unknown): error is MacaroondError {
  return error instanceof MacaroondError && error.code === 'archive_damaged'
}
