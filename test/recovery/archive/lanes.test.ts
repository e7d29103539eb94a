/** What takes as long as the database is large holds no upload up: with a store whose large files come to a stop on the way. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Archiver } from '../../../primary/archiver/archiver.ts'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { runDrill } from '../../../primary/archiver/drill/drill.ts'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { silentLog } from '../../../shared/log.ts'
import { until } from '../../integration/cluster/harness.ts'
import { Authority, CLUSTER, RING } from './authority.ts'

/** Closed, it lets nothing through that passes it. */
class Gate {
  #opened: PromiseWithResolvers<void> | undefined
  waiting = 0

  close(): void {
    this.#opened ??= Promise.withResolvers<void>()
  }

  open(): void {
    this.#opened?.resolve()
    this.#opened = undefined
  }

  async pass(): Promise<void> {
    if (this.#opened === undefined) return
    this.waiting += 1
    await this.#opened.promise
    this.waiting -= 1
  }
}

class Scene {
  readonly authority: Authority
  readonly snapshots = new Gate()
  readonly drills = new Gate()
  readonly archiver: Archiver
  readonly swept: string[] = []
  failing = false
  diskFull = false

  private constructor(authority: Authority) {
    this.authority = authority
    this.archiver = new Archiver({
      // The authority's transactions are of 2023, and the archiver's clock is this machine's.
      config: archiveConfig.parse({ upload_every_ms: 0, jitter_seconds: 0, keep_days: 36_500 }),
      cluster: CLUSTER,
      location: authority.archive,
      open: async () => this.#storage(await DirectoryStorage.open(authority.archive)),
      drill: async (order) => {
        await this.drills.pass()
        return runDrill(order, openArchive)
      },
      source: authority.source,
      signingKey: authority.key,
      ring: RING,
      scratch: join(authority.folder, 'archive'),
      clock: systemClock,
      entropy: systemEntropy,
      log: silentLog,
      alarm: () => undefined,
      recordedChains: () => ({ here: undefined, elsewhere: [] }),
      newArchive: false,
      onRepaired: () => undefined,
      onDrilled: () => undefined,
      onClaimed: () => undefined,
      diskFull: () => this.diskFull,
      onDiskFull: () => undefined,
      onFatal: (error) => {
        throw error
      },
    })
  }

  static async start(): Promise<Scene> {
    const scene = new Scene(await Authority.create())
    onTestFinished(async () => {
      for (const gate of [scene.snapshots, scene.drills]) gate.open()
      await scene.archiver.stop()
    })
    await scene.archiver.start()
    await scene.commit()
    return scene
  }

  /** Resolves when the archive has it. */
  async commit(): Promise<void> {
    this.authority.grow(3)
    const { txid } = this.authority.source.head
    this.archiver.committed(txid)
    await new Promise<void>((resolve) => this.archiver.wait(txid, resolve))
  }

  async levels(): Promise<readonly number[]> {
    const storage = await DirectoryStorage.open(this.authority.archive)
    const { files } = await readManifest(storage, this.authority.key.publicKey)
    return [...files.values()].map(({ level }) => level)
  }

  doneAtMs(job: string): number | null | undefined {
    return this.archiver.status().jobs.find((one) => one.job === job)?.doneAtMs
  }

  #storage(storage: ArchiveStorage): ArchiveStorage {
    return {
      location: storage.location,
      isBucket: storage.isBucket,
      list: (prefix) => storage.list(prefix),
      get: (...args) => storage.get(...args),
      create: async (key, ...rest) => {
        if (this.failing && key.startsWith('ltx/0/')) throw new Error('the store is away')
        return storage.create(key, ...rest)
      },
      delete: (key) => storage.delete(key),
      put: async (key, ...rest) => {
        if (key.startsWith('ltx/9/')) await this.snapshots.pass()
        await storage.put(key, ...rest)
      },
      sweep: async () => {
        this.swept.push(`${this.snapshots.waiting} on the way`)
        await storage.sweep()
      },
    }
  }
}

test('transactions reach the archive during a snapshot upload, and an entry names it once there', async () => {
  const scene = await Scene.start()
  const before = (await scene.levels()).filter((level) => level === 9).length
  scene.snapshots.close()
  scene.archiver.due('snapshot')
  await until(() => scene.snapshots.waiting === 1, 'the snapshot is on its way')
  for (let count = 0; count < 3; count += 1) await scene.commit()
  // What no entry names is no leftover while it is on its way, and so nothing is deleted now.
  scene.archiver.due('retain')
  await scene.commit()
  expect(scene.doneAtMs('retain')).toBeNull()
  expect((await scene.levels()).filter((level) => level === 9)).toHaveLength(before)
  scene.snapshots.open()
  await until(() => scene.doneAtMs('retain') !== null, 'the deletion came after the snapshot')
  expect((await scene.levels()).filter((level) => level === 9)).toHaveLength(before + 1)
  const { recorded } = scene.authority
  for (const { txid, hash } of recorded) {
    expect(await scene.authority.restored({ kind: 'txid', txid })).toEqual({ txid, hash })
  }
})

test('transactions arrive in the archive while a drill restores', async () => {
  const scene = await Scene.start()
  scene.drills.close()
  scene.archiver.due('drill')
  await until(() => scene.drills.waiting === 1, 'the drill is under way')
  for (let count = 0; count < 3; count += 1) await scene.commit()
  expect(scene.archiver.status().lastDrill).toBeNull()
  scene.drills.open()
  await until(() => scene.doneAtMs('drill') !== null, 'the drill is done')
  expect(scene.archiver.status().lastDrill).toMatchObject({ ok: true })
})

test('a store that is away for a while takes nothing from a snapshot that is on its way', async () => {
  const scene = await Scene.start()
  const [claims] = [scene.swept.length]
  scene.snapshots.close()
  scene.archiver.due('snapshot')
  await until(() => scene.snapshots.waiting === 1, 'the snapshot is on its way')
  scene.failing = true
  const arrives = scene.commit()
  await until(() => scene.archiver.status().alerts.some((alert) => alert.includes('upload fails')), 'an upload failed')
  scene.failing = false
  await arrives
  expect(scene.swept).toHaveLength(claims)
  scene.snapshots.open()
  await until(() => scene.doneAtMs('snapshot') !== null, 'an entry names the snapshot')
  expect(scene.archiver.status().alerts).toEqual([])
})

test('uploads go on while the primary’s disk is full, and jobs that need room wait', async () => {
  const scene = await Scene.start()
  const merged = async (): Promise<readonly number[]> => (await scene.levels()).filter((level) => level > 0)
  const before = await merged()
  scene.diskFull = true
  for (const job of ['snapshot', 'compact 1', 'compact 2', 'compact 3', 'drill', 'retain'] as const)
    scene.archiver.due(job)
  await scene.commit()
  await until(() => scene.doneAtMs('retain') !== null, 'what deletes goes on')
  scene.diskFull = false
  await scene.commit()
  expect(await merged()).toEqual(before)
  expect(scene.archiver.status().lastDrill).toBeNull()
  scene.archiver.due('drill')
  await until(() => scene.doneAtMs('drill') !== null, 'the drill is done at its next date')
})
