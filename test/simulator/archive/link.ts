/** The link from the primary to its archive, in which faults are injected. The product's own storage is behind it. */
import type { ArchivePorts } from '../../../primary/archiver/open-archiver.ts'
import { runDrill } from '../../../primary/archiver/drill/drill.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import type { ArchiveStorage, Content, StoredObject } from '../../../shared/archive/storage.ts'
import { pause, type Timers } from '../../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../../shared/errors.ts'
import type { Random } from '../../chaos/random.ts'
import { archiveIn } from '../nodes/members.ts'

export type Disturbance = 'archive away' | 'archive answers lost' | 'archive lists late' | 'archive writes late'

const LOST = 0.5
/** Changes between two bases: a run of seconds sees several, and names of entries become free. */
const BASE_AFTER = 8
/** From when a write is given up until the store carries it out. */
const LATE_MS_MAX = 600
/** One way to a bucket. */
const WAY_MS_MAX = 8

export class ArchiveLink {
  readonly #random: Random
  readonly #isBucket: boolean
  readonly #onProblem: (what: string) => void
  /** How many faults of each kind there are now. */
  readonly #now = new Map<Disturbance, number>()
  readonly #effects = new Map<Disturbance, number>()
  /** Put while lists come late. */
  readonly #unlisted = new Set<string>()
  /** Deleted while lists come late. */
  readonly #stillListed = new Map<string, StoredObject>()
  /** Writes that were given up and are not carried out yet, with the clock of the process that sent them. */
  readonly #late = new Map<() => Promise<void>, Timers>()

  constructor(random: Random, isBucket: boolean, onProblem: (what: string) => void) {
    this.#random = random
    this.#isBucket = isBucket
    this.#onProblem = onProblem
  }

  /** Returns what ends it, which returns how often it took effect. */
  disturb(kind: Disturbance): () => number {
    const before = this.#effects.get(kind) ?? 0
    this.#now.set(kind, (this.#now.get(kind) ?? 0) + 1)
    return () => {
      this.#now.set(kind, (this.#now.get(kind) ?? 1) - 1)
      if (kind === 'archive lists late' && !this.#is(kind))
        for (const late of [this.#unlisted, this.#stillListed]) late.clear()
      return (this.#effects.get(kind) ?? 0) - before
    }
  }

  /** For the process with that data folder. A drill runs in the only thread there is. */
  portsIn(data: string, timers: Timers): ArchivePorts {
    const open: ArchivePorts['open'] = async (_, options) =>
      this.over(await openArchive(archiveIn(data), options), timers)
    const drill: ArchivePorts['drill'] = async (order) => {
      try {
        return await runDrill(order, open)
      } catch (error) {
        const isDisturbed = error instanceof MacaroondError && error.code === 'archive_unavailable'
        if (!isDisturbed) this.#onProblem(`archive: a drill failed: ${JSON.stringify(reportOf(error))}`)
        throw error
      }
    }
    return { open, drill, baseAfter: BASE_AFTER }
  }

  /** The same storage, disturbed; a bucket is far away. */
  over(storage: ArchiveStorage, timers: Timers): ArchiveStorage {
    const request = <T>(send: () => Promise<T>): Promise<T> => this.#request(timers, send)
    const change = <T>(key: string, send: () => Promise<T>): Promise<T> => this.#change(timers, key, send)
    return {
      location: storage.location,
      isBucket: this.#isBucket,
      list: async (prefix) => this.#listed(prefix, await request(() => storage.list(prefix))),
      get: (key, range, into) => request(() => storage.get(key, range, into)),
      put: async (key, content, timestampMs) => {
        const read = await inMemory(content)
        const send = (): Promise<void> => storage.put(key, read, timestampMs)
        await this.#perhapsLate(timers, send)
        return change(key, send)
      },
      create: async (key, ...rest) => {
        const send = (): Promise<boolean> => storage.create(key, ...rest)
        await this.#perhapsLate(timers, send)
        return this.#created(await change(key, send))
      },
      delete: (key) => this.#deleted(storage, key, () => request(() => storage.delete(key))),
      sweep: () => request(() => storage.sweep()),
    }
  }

  async #request<T>(timers: Timers, send: () => Promise<T>): Promise<T> {
    if (this.#isBucket) await pause(timers, this.#random.fraction() * WAY_MS_MAX)
    if (this.#is('archive away')) throw this.#takeEffect('archive away')
    const answer = await send()
    if (this.#isBucket) await pause(timers, this.#random.fraction() * WAY_MS_MAX)
    return answer
  }

  async #change<T>(timers: Timers, key: string, send: () => Promise<T>): Promise<T> {
    if (this.#is('archive lists late')) this.#unlisted.add(key)
    const answer = await this.#request(timers, send)
    if (this.#is('archive answers lost') && this.#random.fraction() < LOST)
      throw this.#takeEffect('archive answers lost')
    return answer
  }

  async #perhapsLate(timers: Timers, send: () => Promise<unknown>): Promise<void> {
    await this.#carryOutLate(timers)
    if (this.#is('archive writes late') && this.#random.fraction() < LOST) throw this.#delayed(timers, send)
  }

  /** The request is given up. It is carried out later: before another change, or after a while. */
  #delayed(timers: Timers, send: () => Promise<unknown>): MacaroondError {
    const late = async (): Promise<void> => {
      if (!this.#late.delete(late)) return
      await send().catch(() => undefined)
    }
    this.#late.set(late, timers)
    timers.after(this.#random.fraction() * LATE_MS_MAX, () => void late())
    return this.#takeEffect('archive writes late')
  }

  /** Only what the same process sent: the calls of a stopped one do not end. */
  async #carryOutLate(timers: Timers): Promise<void> {
    for (const [late, sender] of this.#late) if (sender === timers && this.#random.fraction() < LOST) await late()
  }

  /** The client of a bucket repeats a request whose answer was lost, and then hears that the object exists already. */
  #created(created: boolean): boolean {
    const isLost = this.#isBucket && this.#is('archive answers lost') && this.#random.fraction() < LOST
    if (!isLost) return created
    this.#takeEffect('archive answers lost')
    return false
  }

  /** As long as lists come late, they show what was there before. */
  async #deleted(storage: ArchiveStorage, key: string, work: () => Promise<void>): Promise<void> {
    const isListed = this.#is('archive lists late') && !this.#unlisted.has(key)
    const object = isListed ? (await storage.list(key))[0] : undefined
    if (object !== undefined) this.#stillListed.set(key, object)
    await work()
    if (this.#is('archive answers lost') && this.#random.fraction() < LOST)
      throw this.#takeEffect('archive answers lost')
  }

  #listed(prefix: string, objects: readonly StoredObject[]): readonly StoredObject[] {
    const gone = [...this.#stillListed.values()].filter(({ key }) => key.startsWith(prefix))
    const old = objects.filter(({ key }) => !this.#unlisted.has(key) && !this.#stillListed.has(key))
    if (old.length < objects.length || gone.length > 0) this.#takeEffect('archive lists late')
    return [...old, ...gone].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  #is(kind: Disturbance): boolean {
    return (this.#now.get(kind) ?? 0) > 0
  }

  #takeEffect(kind: Disturbance): MacaroondError {
    this.#effects.set(kind, (this.#effects.get(kind) ?? 0) + 1)
    return new MacaroondError('archive_unavailable', kind, { hint: 'it comes back' })
  }
}

/** A bucket's client reads a small object before it sends it: the request outlives the scratch file of a snapshot. */
async function inMemory(content: Content): Promise<Uint8Array> {
  if (!('pieces' in content)) return content
  const pieces: Uint8Array[] = []
  for await (const piece of content.pieces()) pieces.push(piece)
  return Buffer.concat(pieces)
}
