/**
 * Writes the manifest of one archive: appends entries to the chain, and can begin the chain anew. After it has created an
 * entry, the writer reads it back and looks for a claim of the next epoch. Only then the entry counts. So a primary that slept
 * acknowledges nothing on a chain that another primary leads by now.
 */
import type { Ed25519PrivateKey } from '../../../shared/crypto.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch, Timeline } from '../../../shared/ids.ts'
import { LATE_ENTRIES_MAX } from '../../../shared/limits.ts'
import { positionText, type Position } from '../../../shared/position.ts'
import { readClaim } from '../../../shared/archive/epoch-claim.ts'
import { arrivedLate, fenced, fencedByCopy, writtenByCopy, wrongCluster } from './chain-errors.ts'
import { createClaim } from './claim-epoch.ts'
import { type ArchivedFile, epochKey, MANIFEST_PREFIX, manifestKey } from '../../../shared/archive/layout.ts'
import { encodeEntry, hashOfEntry, type ManifestEntry } from '../../../shared/archive/manifest.ts'
import { emptyManifest, follow, isBaseDue, type ManifestState } from '../../../shared/archive/manifest-state.ts'
import {
  type ChainEntry,
  chainEntry,
  followChain,
  listEntryNumbers,
  readEntry,
  requireClaimed,
  unclaimedEntries,
  unlessDamaged,
} from '../../../shared/archive/read-chain.ts'
import { type ArchiveStorage, inParallel, notWritten, requestsAtOnce } from '../../../shared/archive/storage.ts'

/** The changes of one entry. */
export interface ManifestChange {
  readonly head: Position | undefined
  readonly added: readonly ArchivedFile[]
  readonly removed: readonly ArchivedFile[]
}

interface Change extends ManifestChange {
  readonly base: boolean
}

interface Written extends EntryOwner {
  readonly hash: string
  readonly bytes: number
}

interface EntryOwner {
  readonly epoch: Epoch
  readonly timeline: Timeline
}

/** What a repair of the chain found lost or changed. */
export interface ChainLoss {
  /** Numbers of entries. */
  readonly entries: readonly number[]
  /** Earlier epochs whose claim does not name the timeline of their entries. */
  readonly claims: readonly Epoch[]
}

export interface ManifestWriterOptions {
  readonly storage: ArchiveStorage
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly signingKey: { readonly publicKey: Uint8Array; readonly privateKey: Ed25519PrivateKey }
  readonly wallMs: () => number
  /** Minimum number of changes before a base is written. */
  readonly baseAfter?: number | undefined
  /** An entry that existed when this process started. A late list may lack it. */
  readonly known?: ChainLink | undefined
}

/** Identifies one entry of a chain, by number and hash. */
export interface ChainLink {
  readonly entry: number
  readonly hash: string
}

export class ManifestWriter {
  readonly #options: ManifestWriterOptions
  #state: ManifestState = emptyManifest()
  /** The entries from the newest base on, by number. Comparing them with the store finds lost entries. */
  #written = new Map<number, Written>()
  /** Hash of the newest entry that this process wrote itself. */
  #lastOwn: string | undefined
  /** Hashes of entries that this process sent and that had no answer. The store may carry such a request out later. */
  #unanswered = new Set<string>()

  constructor(options: ManifestWriterOptions) {
    this.#options = options
  }

  get state(): ManifestState {
    return this.#state
  }

  /** The newest entry; undefined before this process has read or written an entry of its own epoch. */
  get newest(): ChainLink | undefined {
    const { seq, previous, epoch } = this.#state
    return epoch === this.#options.epoch ? { entry: seq, hash: previous } : undefined
  }

  /** Returns a writer of the same chain on a store that was opened again. */
  withStorage(storage: ArchiveStorage): ManifestWriter {
    const writer = new ManifestWriter({ ...this.#options, storage })
    writer.#state = this.#state
    writer.#written = this.#written
    writer.#lastOwn = this.#lastOwn
    writer.#unanswered = this.#unanswered
    return writer
  }

  /** Reads the chain again. Throws archive_damaged, wrong_cluster, archive_fenced. */
  async load(): Promise<ManifestState> {
    const { storage, signingKey, cluster, epoch, timeline, known } = this.#options
    const { state, chain } = await followChain(
      storage,
      signingKey.publicKey,
      Math.max(known?.entry ?? 0, this.#state.seq),
    )
    const other = chain.find(({ entry, hash }) => entry.seq === known?.entry && hash !== known.hash)
    if (other !== undefined) throw writtenByCopy(storage, other.entry.seq)
    if (state.cluster !== undefined && state.cluster !== cluster) throw wrongCluster(storage, state.cluster)
    const newer = (state.epoch ?? 0) > epoch || (state.epoch === epoch && state.timeline !== timeline)
    if (newer) throw fenced(storage, state.epoch ?? epoch)
    this.#state = state
    this.#written = new Map(chain.map((one) => [one.entry.seq, writtenOf(one)]))
    return state
  }

  /**
   * Repairs a chain that `load` finds damaged: starts it over with a base that lists everything this process knows of it.
   * Returns what was lost. Returns undefined, and changes nothing, if this process has not written the chain, or if another
   * process may have continued it. Throws archive_fenced.
   */
  async heal(): Promise<ChainLoss | undefined> {
    const { storage, epoch } = this.#options
    // This check comes first: entries that a successor's base deleted are not damage.
    await this.#requireNoSuccessor()
    if (this.#state.epoch !== epoch) return undefined
    while (await this.#followOwn()) await this.#requireNoSuccessor()
    const { seq } = this.#state
    const numbers = await listEntryNumbers(storage)
    for (const number of numbers)
      if (number > seq && (await this.#readUndamaged(number)) !== undefined) return undefined
    const entries = await this.#lostOf([...this.#written.keys()])
    const claims = await this.#wrongClaims()
    const isWhole = entries.length === 0 && claims.length === 0 && numbers.every((number) => number <= seq)
    if (isWhole) return undefined
    // The base is an entry of this epoch, so the chain no longer depends on the claims of earlier epochs.
    await this.beginAnew(this.#state, Math.max(seq, numbers.at(-1) ?? 0))
    return { entries, claims }
  }

  /** Returns the earlier epochs of the chain whose claim is missing, unreadable, or of another timeline. */
  async #wrongClaims(): Promise<readonly Epoch[]> {
    const { storage, signingKey } = this.#options
    const wrong: Epoch[] = []
    for (const [epoch, timeline] of this.#earlierOwners()) {
      const claim = await unlessDamaged(readClaim(storage, signingKey.publicKey, epoch))
      if (claim?.timeline !== timeline) wrong.push(epoch)
    }
    return wrong
  }

  /** The timelines of the earlier epochs that have entries in the chain. */
  #earlierOwners(): ReadonlyMap<Epoch, Timeline> {
    const owners = [...this.#written.values()].map(({ epoch, timeline }) => [epoch, timeline] as const)
    return new Map(owners.filter(([epoch]) => epoch < this.#options.epoch))
  }

  /**
   * Returns the numbers of entries, from the newest base on, that are missing or changed. It reads only the entries whose size
   * in the list is missing or wrong.
   */
  async lostEntries(): Promise<readonly number[]> {
    const objects = await this.#options.storage.list(MANIFEST_PREFIX)
    const sizes = new Map(objects.map(({ key, bytes }) => [key, bytes]))
    // Some buckets list late, so a difference is confirmed by a read.
    const differ = [...this.#written].filter(([number, { bytes }]) => sizes.get(manifestKey(number)) !== bytes)
    return this.#lostOf(differ.map(([number]) => number))
  }

  async #lostOf(numbers: readonly number[]): Promise<readonly number[]> {
    const { storage } = this.#options
    const found = await inParallel(numbers, requestsAtOnce(storage), (number) =>
      unlessDamaged(storage.get(manifestKey(number))),
    )
    return numbers.filter((number, index) => {
      const bytes = found[index]
      return bytes === undefined || hashOfEntry(bytes) !== this.#written.get(number)?.hash
    })
  }

  /**
   * Starts the chain over with a base that lists exactly `content`. Any number up to `above` may be taken, so the base gets a
   * higher one, and earlier entries are deleted only after the base is written. Throws archive_fenced.
   */
  async beginAnew(content: Pick<ManifestState, 'files' | 'head' | 'previous'>, above: number): Promise<void> {
    const { storage, signingKey, known } = this.#options
    await this.#requireNoSuccessor()
    const { files, head, previous } = content
    const change = { head, added: [...files.values()], removed: [], base: true }
    const entry = { ...this.#entry(change), seq: Math.max(above, known?.entry ?? 0) + 1, previous }
    const bytes = encodeEntry(entry, signingKey.privateKey)
    const key = manifestKey(entry.seq)
    await this.#send(entry.seq, bytes)
    const [stored] = await Promise.all([storage.get(key), this.#requireNoSuccessor()])
    if (stored === undefined) throw notWritten(storage, key)
    if (!stored.equals(bytes)) throw this.#takenBy(chainEntry(stored, signingKey.publicKey, entry.seq), previous)
    this.#state = emptyManifest()
    this.#followWritten(entry, bytes)
    await this.#deleteBefore(entry.seq)
  }

  /** Follows the next entry if this process wrote it and lost the answer. Returns false if it did not. */
  async #followOwn(): Promise<boolean> {
    const { epoch, timeline } = this.#options
    const own = await this.#readUndamaged(this.#state.seq + 1)
    if (own === undefined) return false
    const { entry } = own
    if (entry.epoch !== epoch || entry.timeline !== timeline || entry.previous !== this.#state.previous) return false
    this.#follow(own)
    return true
  }

  #readUndamaged(number: number): Promise<ChainEntry | undefined> {
    const { storage, signingKey } = this.#options
    return unlessDamaged(readEntry(storage, signingKey.publicKey, number))
  }

  #follow({ entry, hash, bytes }: ChainEntry): void {
    this.#state = follow(this.#state, entry, hash)
    if (entry.base) this.#written.clear()
    this.#written.set(entry.seq, writtenOf({ entry, hash, bytes }))
  }

  #followWritten(entry: ManifestEntry, bytes: Buffer): void {
    const hash = hashOfEntry(bytes)
    this.#follow({ entry, hash, bytes: bytes.length })
    this.#lastOwn = hash
    this.#unanswered.clear()
  }

  /**
   * Appends one entry, and a base if it is due. Throws archive_fenced if another primary leads the archive. After any other
   * error the entry may exist or not; `load` finds out.
   */
  async append(change: ManifestChange): Promise<ManifestState> {
    await this.#write({ ...change, base: false })
    if (isBaseDue(this.#state, this.#options.baseAfter)) await this.writeBase()
    return this.#state
  }

  /**
   * Writes a base, then deletes the entries before it, oldest first. So if the key of an entry is free, the keys of all earlier
   * entries are free too.
   */
  async writeBase(): Promise<void> {
    const { files, head } = this.#state
    await this.#write({ head, added: [...files.values()], removed: [], base: true })
    await this.#deleteBefore(this.#state.base.seq)
  }

  async #deleteBefore(seq: number): Promise<void> {
    const { storage } = this.#options
    for (const number of await listEntryNumbers(storage)) if (number < seq) await storage.delete(manifestKey(number))
  }

  /**
   * Creates the claims again that are missing, of this epoch and of the earlier epochs that have entries in the chain. Returns
   * their epochs. Throws archive_fenced, archive_damaged.
   */
  async ensureClaims(): Promise<readonly Epoch[]> {
    const { storage, signingKey, cluster, epoch, timeline, wallMs } = this.#options
    const missing: Epoch[] = []
    for (const owner of [...this.#earlierOwners(), [epoch, timeline] as const]) {
      const claim = { cluster, epoch: owner[0], timeline: owner[1], atMs: wallMs() }
      if (await createClaim(storage, claim, signingKey)) missing.push(claim.epoch)
      await this.#requireOwner(claim)
    }
    await this.#requireNoSuccessor()
    return missing
  }

  async #requireOwner({ epoch, timeline }: EntryOwner): Promise<void> {
    const { storage, signingKey } = this.#options
    const claim = await readClaim(storage, signingKey.publicKey, epoch)
    if (claim === undefined) throw notWritten(storage, epochKey(epoch))
    if (claim.timeline === timeline) return
    throw epoch === this.#options.epoch ? fenced(storage, epoch) : unclaimedEntries(epoch)
  }

  async #write(change: Change): Promise<void> {
    for (let attempt = 0; attempt <= LATE_ENTRIES_MAX; attempt += 1) {
      const entry = this.#entry(change)
      const bytes = encodeEntry(entry, this.#options.signingKey.privateKey)
      const other = await this.#createEntry(entry.seq, bytes)
      if (other === undefined) return this.#followWritten(entry, bytes)
      this.#follow(other)
    }
    throw new MacaroondError(
      'archive_unavailable',
      `an earlier primary still writes to ${this.#options.storage.location}`,
      {
        hint: 'stop the primary of the earlier epoch',
      },
    )
  }

  #entry({ head, added, removed, base }: Change): ManifestEntry {
    const { cluster, epoch, timeline, wallMs } = this.#options
    const { seq, previous } = this.#state
    const links = { seq: seq + 1, previous, atMs: wallMs(), base, head: head === undefined ? null : positionText(head) }
    return { cluster, epoch, timeline, ...links, added, removed: removed.map(({ key }) => key) }
  }

  /**
   * Creates the object of an entry. Returns undefined if it is stored and this primary still leads. Returns the entry of an
   * earlier primary if that primary took the number before our first entry. Throws archive_fenced.
   */
  async #createEntry(seq: number, bytes: Buffer): Promise<ChainEntry | undefined> {
    const { storage, signingKey, epoch } = this.#options
    await this.#send(seq, bytes)
    // The stored entry decides, because the answer may be lost, or a proxy may have answered instead of the store.
    const [stored] = await Promise.all([storage.get(manifestKey(seq)), this.#requireStillLeading()])
    if (stored?.equals(bytes) === true) return undefined
    if (stored === undefined) throw notWritten(storage, manifestKey(seq))
    const other = chainEntry(stored, signingKey.publicKey, seq)
    if (this.#state.epoch === epoch || other.entry.epoch >= epoch) throw this.#takenBy(other, this.#state.previous)
    await requireClaimed(storage, signingKey.publicKey, [other])
    return other
  }

  /** Sends an entry, and remembers it if no answer comes. */
  async #send(seq: number, bytes: Buffer): Promise<void> {
    const hash = hashOfEntry(bytes)
    this.#unanswered.add(hash)
    await this.#options.storage.create(manifestKey(seq), bytes)
    this.#unanswered.delete(hash)
  }

  /**
   * Returns the error for a number that another entry has. An entry of our own timeline that follows the same entry as ours may
   * be our own: a store may carry out a request long after it was given up, also after a restart. The next claim reads such an
   * entry, and compares its history with ours. An entry that this process did not send, and that follows one that it wrote, is
   * of a copy.
   */
  #takenBy({ entry, hash }: ChainEntry, previous: string): MacaroondError {
    const { storage, epoch, timeline } = this.#options
    const isOurs = entry.epoch === epoch && entry.timeline === timeline && entry.previous === previous
    if (!isOurs) return fenced(storage, entry.epoch)
    const mayBeSentBefore = this.#unanswered.has(hash) || previous !== this.#lastOwn
    return mayBeSentBefore ? arrivedLate(storage, entry.seq) : fencedByCopy(storage, entry.seq)
  }

  /**
   * Checks that this primary still leads, after an entry is written and before anything relies on it. A base frees the keys of
   * earlier entries. So a primary that slept could create an entry below the base of its successor, and nobody would read it.
   */
  async #requireStillLeading(): Promise<void> {
    const { storage } = this.#options
    const { seq, previous } = this.#state
    const last = seq === 0 ? undefined : storage.get(manifestKey(seq))
    const [, bytes] = await Promise.all([this.#requireNoSuccessor(), last])
    // A copy of this primary runs in the same epoch and makes no new claim. But before its base frees our key, it deletes the
    // entry before ours.
    if (seq === 0 || (bytes !== undefined && hashOfEntry(bytes) === previous)) return
    throw new MacaroondError(
      'archive_damaged',
      `entry ${seq} of the manifest in ${storage.location} has been deleted or changed`,
      {
        hint: `check that no copy of this primary runs elsewhere; if none does, put ${manifestKey(seq)} back from a copy of the archive`,
      },
    )
  }

  /** Throws archive_fenced if a later epoch is claimed. Claims leave no gap, so reading the next one is enough. */
  async #requireNoSuccessor(): Promise<void> {
    const { storage, signingKey, epoch } = this.#options
    const next = await readClaim(storage, signingKey.publicKey, epoch + 1)
    if (next !== undefined) throw fenced(storage, next.epoch)
  }
}

function writtenOf({ entry: { epoch, timeline }, hash, bytes }: ChainEntry): Written {
  return { epoch, timeline, hash, bytes }
}
