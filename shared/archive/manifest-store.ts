/** The manifest of one archive: read and checked as a whole, then gone on with by its one writer. */
import type { Ed25519PrivateKey } from '../crypto.ts'
import { MacaroondError } from '../errors.ts'
import type { Epoch, Timeline } from '../ids.ts'
import { MANIFEST_DOCUMENT_BYTES_MAX } from '../limits.ts'
import { positionText, type Position } from '../position.ts'
import { type ArchivedFile, manifestKey, MANIFEST_PREFIX, parseManifestKey } from './layout.ts'
import { decodeEntry, encodeEntry, hashOfEntry, type ManifestEntry } from './manifest.ts'
import { emptyManifest, follow, isBaseDue, type ManifestState } from './manifest-state.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce, type StoredObject } from './storage.ts'

/** Entries read at once before they are followed. */
const READ_AT_ONCE = 256

/** While it is read, its writer may begin it anew with a base: then it is listed again. */
const READ_ATTEMPTS = 3

/** Follows the whole chain. Empty where there is no manifest. Throws archive_damaged. */
export async function readManifest(storage: ArchiveStorage, publicKey: Uint8Array): Promise<ManifestState> {
  for (let attempt = 1; ; attempt += 1) {
    const state = await followEntries(storage, publicKey, await listEntries(storage))
    if (state !== undefined) return followUnlisted(storage, publicKey, state)
    if (attempt === READ_ATTEMPTS)
      throw new MacaroondError('archive_damaged', 'entries of the manifest are listed, but not there')
  }
}

/** Undefined when an entry is gone since it was listed. */
async function followEntries(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  entries: readonly StoredObject[],
): Promise<ManifestState | undefined> {
  let state = emptyManifest()
  for (let at = 0; at < entries.length; at += READ_AT_ONCE) {
    const some = entries.slice(at, at + READ_AT_ONCE)
    const read = await inParallel(some, requestsAtOnce(storage), ({ key }) => storage.get(key))
    for (const [index, bytes] of read.entries()) {
      if (bytes === undefined) return undefined
      state = followBytes(state, bytes, publicKey, some[index]!.key)
    }
  }
  return state
}

/** The lists of some buckets come late, what is read by its name does not: the chain ends where the next entry is not there. */
async function followUnlisted(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  listed: ManifestState,
): Promise<ManifestState> {
  for (let state = listed; ;) {
    const key = manifestKey(state.seq + 1)
    const bytes = await storage.get(key)
    if (bytes === undefined) return state
    state = followBytes(state, bytes, publicKey, key)
  }
}

function followBytes(state: ManifestState, bytes: Buffer, publicKey: Uint8Array, key: string): ManifestState {
  const entry = decodeEntry(bytes, publicKey, key)
  if (manifestKey(entry.seq) !== key) {
    throw new MacaroondError('archive_damaged', `${key} holds entry ${entry.seq} of the manifest`, {
      hint: 'entries were moved: use another copy of the archive',
    })
  }
  return follow(state, entry, hashOfEntry(bytes))
}

/** Ascending, and without what the newest base made superfluous but a crash left: a gap before a base is none. */
async function listEntries(storage: ArchiveStorage): Promise<readonly StoredObject[]> {
  const objects = await storage.list(MANIFEST_PREFIX)
  const large = objects.find(({ bytes }) => bytes > MANIFEST_DOCUMENT_BYTES_MAX)
  if (large !== undefined) throw new MacaroondError('archive_damaged', `${large.key} is larger than an entry may be`)
  const entries = objects.filter(({ key }) => parseManifestKey(key) !== undefined)
  const gap = entries.findLastIndex(
    ({ key }, index) => index > 0 && numberOf(key) !== numberOf(entries[index - 1]!.key) + 1,
  )
  return gap < 0 ? entries : entries.slice(gap)
}

function numberOf(key: string): number {
  return parseManifestKey(key) ?? 0
}

/** What one entry changes. */
export interface ManifestChange {
  readonly head: Position | undefined
  readonly added: readonly ArchivedFile[]
  readonly removed: readonly ArchivedFile[]
}

export interface ManifestWriterOptions {
  readonly storage: ArchiveStorage
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly signingKey: { readonly publicKey: Uint8Array; readonly privateKey: Ed25519PrivateKey }
  readonly wallMs: () => number
}

export class ManifestWriter {
  readonly #options: ManifestWriterOptions
  #state: ManifestState = emptyManifest()

  constructor(options: ManifestWriterOptions) {
    this.#options = options
  }

  get state(): ManifestState {
    return this.#state
  }

  /** Reads it anew. Throws archive_damaged, wrong_cluster, archive_fenced. */
  async load(): Promise<ManifestState> {
    const { storage, signingKey, cluster, epoch, timeline } = this.#options
    const state = await readManifest(storage, signingKey.publicKey)
    if (state.cluster !== undefined && state.cluster !== cluster) {
      throw new MacaroondError(
        'wrong_cluster',
        `the archive ${storage.location} belongs to cluster "${state.cluster}"`,
        {
          hint: 'every cluster has an archive of its own: check [archive] in the configuration',
        },
      )
    }
    const newer = (state.epoch ?? 0) > epoch || (state.epoch === epoch && state.timeline !== timeline)
    if (newer) throw fenced(storage, state.epoch ?? epoch)
    this.#state = state
    return state
  }

  /**
   * Appends one entry, and a base when it is time. Throws archive_fenced when another primary has gone on with the chain.
   * After any other error it is not known whether the entry is there: `load` finds out.
   */
  async append(change: ManifestChange): Promise<ManifestState> {
    await this.#write(this.#entry({ ...change, base: false }))
    if (isBaseDue(this.#state)) await this.writeBase()
    return this.#state
  }

  /** Lists everything anew, then deletes the entries before, the newest first: what a crash leaves ends before a gap. */
  async writeBase(): Promise<void> {
    const { storage } = this.#options
    const { files, head } = this.#state
    await this.#write(this.#entry({ head, added: [...files.values()], removed: [], base: true }))
    const { seq } = this.#state.base
    for (const { key } of (await storage.list(MANIFEST_PREFIX)).toReversed()) {
      if (numberOf(key) < seq) await storage.delete(key)
    }
  }

  #entry({ head, added, removed, base }: ManifestChange & { readonly base: boolean }): ManifestEntry {
    const { cluster, epoch, timeline, wallMs } = this.#options
    const { seq, previous } = this.#state
    const links = { seq: seq + 1, previous, atMs: wallMs(), base, head: head === undefined ? null : positionText(head) }
    return { cluster, epoch, timeline, ...links, added, removed: removed.map(({ key }) => key) }
  }

  async #write(entry: ManifestEntry): Promise<void> {
    const { storage, signingKey, epoch } = this.#options
    const bytes = encodeEntry(entry, signingKey.privateKey)
    const key = manifestKey(entry.seq)
    // The answer to a write that was carried out may be lost: then the entry that is there is this very one.
    if (!(await storage.create(key, bytes)) && (await storage.get(key))?.equals(bytes) !== true)
      throw fenced(storage, epoch)
    this.#state = follow(this.#state, entry, hashOfEntry(bytes))
  }
}

export function fenced({ location }: ArchiveStorage, epoch: Epoch): MacaroondError {
  return new MacaroondError(
    'archive_fenced',
    `another primary has gone on with the archive ${location} in epoch ${epoch}`,
    {
      hint: 'a restored database leads now: stop this primary, or restore again to make this one lead',
    },
  )
}
