/** The way from the primary to its archive, which can be disturbed: the product's own storage is at its end. */
import type { ArchivePorts } from '../../../primary/archiver/open-archiver.ts'
import { runDrill } from '../../../primary/archiver/drill/drill.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import type { ArchiveStorage, StoredObject } from '../../../shared/archive/storage.ts'
import { pause, type Timers } from '../../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../../shared/errors.ts'
import type { Random } from '../../chaos/random.ts'
import { archiveIn } from '../nodes/cast.ts'

export type Disturbance = 'archive away' | 'archive answers lost' | 'archive lists late'

const LOST = 0.5
/** Changes between two bases: a run of seconds sees several, and names of entries become free. */
const BASE_AFTER = 8
/** One way to a bucket. */
const WAY_MS_MAX = 8

export class ArchiveLink {
  readonly #random: Random
  readonly #isBucket: boolean
  readonly #onProblem: (what: string) => void
  /** How many faults of each kind there are now. */
  readonly #now = new Map<Disturbance, number>()
  readonly #bites = new Map<Disturbance, number>()
  /** Put while lists come late. */
  readonly #unlisted = new Set<string>()
  /** Deleted while lists come late. */
  readonly #stillListed = new Map<string, StoredObject>()

  constructor(random: Random, isBucket: boolean, onProblem: (what: string) => void) {
    this.#random = random
    this.#isBucket = isBucket
    this.#onProblem = onProblem
  }

  /** Returns what ends it, which returns how often it bit. */
  disturb(kind: Disturbance): () => number {
    const before = this.#bites.get(kind) ?? 0
    this.#now.set(kind, (this.#now.get(kind) ?? 0) + 1)
    return () => {
      this.#now.set(kind, (this.#now.get(kind) ?? 1) - 1)
      if (kind === 'archive lists late' && !this.#is(kind))
        for (const late of [this.#unlisted, this.#stillListed]) late.clear()
      return (this.#bites.get(kind) ?? 0) - before
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
    const asked = <T>(ask: () => Promise<T>): Promise<T> => this.#asked(timers, ask)
    const told = <T>(key: string, tell: () => Promise<T>): Promise<T> => this.#told(timers, key, tell)
    return {
      location: storage.location,
      isBucket: this.#isBucket,
      list: async (prefix) => this.#listed(prefix, await asked(() => storage.list(prefix))),
      get: (key, range, into) => asked(() => storage.get(key, range, into)),
      put: (key, content, timestampMs) => told(key, () => storage.put(key, content, timestampMs)),
      create: async (key, bytes) => this.#created(await told(key, () => storage.create(key, bytes))),
      delete: (key) => this.#deleted(storage, key, () => asked(() => storage.delete(key))),
      sweep: () => asked(() => storage.sweep()),
    }
  }

  async #asked<T>(timers: Timers, ask: () => Promise<T>): Promise<T> {
    if (this.#isBucket) await pause(timers, this.#random.fraction() * WAY_MS_MAX)
    if (this.#is('archive away')) throw this.#bite('archive away')
    const answer = await ask()
    if (this.#isBucket) await pause(timers, this.#random.fraction() * WAY_MS_MAX)
    return answer
  }

  async #told<T>(timers: Timers, key: string, tell: () => Promise<T>): Promise<T> {
    if (this.#is('archive lists late')) this.#unlisted.add(key)
    const answer = await this.#asked(timers, tell)
    if (this.#is('archive answers lost') && this.#random.fraction() < LOST) throw this.#bite('archive answers lost')
    return answer
  }

  /** The client of a bucket asks again when an answer is lost, and is told that there is one already. */
  #created(created: boolean): boolean {
    const isLost = this.#isBucket && this.#is('archive answers lost') && this.#random.fraction() < LOST
    if (!isLost) return created
    this.#bite('archive answers lost')
    return false
  }

  /** As long as lists come late, they show what was there before. */
  async #deleted(storage: ArchiveStorage, key: string, work: () => Promise<void>): Promise<void> {
    const isListed = this.#is('archive lists late') && !this.#unlisted.has(key)
    const object = isListed ? (await storage.list(key))[0] : undefined
    if (object !== undefined) this.#stillListed.set(key, object)
    await work()
    if (this.#is('archive answers lost') && this.#random.fraction() < LOST) throw this.#bite('archive answers lost')
  }

  #listed(prefix: string, objects: readonly StoredObject[]): readonly StoredObject[] {
    const gone = [...this.#stillListed.values()].filter(({ key }) => key.startsWith(prefix))
    const old = objects.filter(({ key }) => !this.#unlisted.has(key) && !this.#stillListed.has(key))
    if (old.length < objects.length || gone.length > 0) this.#bite('archive lists late')
    return [...old, ...gone].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  }

  #is(kind: Disturbance): boolean {
    return (this.#now.get(kind) ?? 0) > 0
  }

  #bite(kind: Disturbance): MacaroondError {
    this.#bites.set(kind, (this.#bites.get(kind) ?? 0) + 1)
    return new MacaroondError('archive_unavailable', kind, { hint: 'it comes back' })
  }
}
