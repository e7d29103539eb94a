/** One answer of a store ends no primary, and an operator's word covers the losses that were reported. */
import { describe, expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { ArchiveWorker } from '../../../primary/archiver/worker.ts'
import { manifestKey } from '../../../shared/archive/layout.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { silentLog } from '../../../shared/log.ts'
import { MemoryStorage } from '../../shared/archive/memory.ts'
import { append, KEY, leader, sourceOf } from './chain/leaders.ts'

const CLAIM = { kind: 'claim' } as const
const HEARTBEAT = { kind: 'job', job: 'heartbeat' } as const
const LAST = 5

function workerOn(storage: MemoryStorage): ArchiveWorker {
  const ignored = (): undefined => undefined
  const options = {
    config: archiveConfig.parse({}),
    cluster: 'c',
    location: storage.location,
    open: async () => storage,
    drill: () => Promise.reject(new Error('nothing is drilled')),
    source: sourceOf(1, 'a', LAST),
    signingKey: KEY,
    ring: [],
    scratch: '',
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    alarm: ignored,
    diskFull: () => false,
    onDiskFull: ignored,
    recordedChains: () => ({ here: undefined, elsewhere: [] }),
    onRepaired: ignored,
    newArchive: false,
    onDrilled: ignored,
  }
  return new ArchiveWorker(options, new AbortController().signal)
}

/** As a gateway does that does not know the condition of a write. */
async function refusesConditions(): Promise<boolean> {
  throw new MacaroondError('platform_unsupported', 'not implemented')
}

describe('a store that answers once that it cannot create an object only if absent', () => {
  test('ends no primary that has seen it do so', async () => {
    const storage = new MemoryStorage()
    const worker = workerOn(storage)
    await worker.do(CLAIM, false)
    const { create } = storage
    storage.create = refusesConditions
    await expect(worker.do(HEARTBEAT, false)).rejects.toMatchObject({ code: 'archive_unavailable' })
    storage.create = create
    await worker.do(CLAIM, false)
    await worker.do(HEARTBEAT, false)
  })

  test('is refused at the start', async () => {
    const storage = new MemoryStorage()
    storage.create = refusesConditions
    await expect(workerOn(storage).do(CLAIM, false)).rejects.toMatchObject({ code: 'platform_unsupported' })
  })
})

describe('an operator’s confirmation', () => {
  /** The archive has lost an entry, and the primary was started again: nothing knows what the entry said. */
  async function damaged(): Promise<{ storage: MemoryStorage; worker: ArchiveWorker }> {
    const storage = new MemoryStorage()
    await append(await leader(storage, 1, 'a', 1_000), storage, 1, 1, LAST)
    storage.objects.delete(manifestKey(2))
    const worker = workerOn(storage)
    await expect(worker.do(CLAIM, false)).rejects.toMatchObject({ code: 'archive_damaged' })
    worker.allowRepair()
    return { storage, worker }
  }

  test('lets the next claim give up what was reported', async () => {
    const { worker } = await damaged()
    await worker.do(CLAIM, false)
    expect(worker.toRecord.repaired).toMatch(/entry 2 of the manifest .* is missing/)
  })

  test('covers no loss that came after the report', async () => {
    const { storage, worker } = await damaged()
    const entry = storage.objects.get(manifestKey(4))!
    storage.objects.delete(manifestKey(4))
    await expect(worker.do(CLAIM, false)).rejects.toMatchObject({ code: 'archive_damaged' })
    expect(worker.damage?.problems).toHaveLength(2)
    storage.objects.set(manifestKey(4), entry)
    await worker.do(CLAIM, false)
    expect(worker.toRecord.repaired).toMatch(/entry 2 of the manifest .* is missing/)
  })

  test('covers no more lost files than were reported', async () => {
    const { storage, worker } = await damaged()
    const [file] = [...storage.objects.keys()].filter((key) => key.startsWith('ltx/'))
    storage.objects.delete(file!)
    await expect(worker.do(CLAIM, false)).rejects.toMatchObject({ code: 'archive_damaged' })
    expect(worker.damage?.filesLost).toBe(1)
    worker.allowRepair()
    await worker.do(CLAIM, false)
  })
})
