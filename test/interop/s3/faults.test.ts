/**
 * An archive in a bucket behind a network and a store that fail in every way they can: what is acknowledged as archived is
 * there, to the byte, and when the faults end everything is.
 */
import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { S3Client } from '../../../shared/archive/s3/client.ts'
import { readCredentials } from '../../../shared/archive/s3/credentials.ts'
import { parseS3Url } from '../../../shared/archive/s3/settings.ts'
import { elements } from '../../../shared/archive/s3/xml.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { S3_PART_BYTES_MIN } from '../../../shared/limits.ts'
import { Authority } from '../../recovery/archive/authority.ts'
import { type Fault, FaultProxy, FAULTS } from './fault-proxy.ts'
import { KEYS, openBucket, startStore, type Store, urlOf } from './store.ts'

const TIMEOUT_MS = 300
/** Nothing is old enough to go, so everything must stay reachable. */
const KEEP_ALL = { windowMs: 1e12, keepMs: 1e12, filesMax: 1e9, bytesMax: 1e13 }

let store: Store
let proxy: FaultProxy
let folders = 0

beforeAll(async () => {
  store = await startStore()
  proxy = await FaultProxy.start(store.address)
}, 600_000)
beforeEach(() => {
  proxy.choose = () => undefined
})
afterAll(() => {
  proxy.stop()
  store.stop()
})

async function authority(): Promise<Authority> {
  const folder = `faults-${(folders += 1)}`
  const between = openBucket(urlOf(proxy.address, folder), { timeoutMs: TIMEOUT_MS })
  return Authority.create(() => between, openBucket(urlOf(store.address, folder)))
}

/** As the archiver does it: after a failure it looks up what is there before it goes on. Other errors than of the way are bugs. */
async function insist(own: Authority, work: () => Promise<void>): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    try {
      if (failures > 0) await own.claim()
      await work()
      return failures
    } catch (error) {
      const isOfTheWay =
        error instanceof MacaroondError && ['archive_unavailable', 'archive_damaged'].includes(error.code)
      if (!isOfTheWay || failures > 30) throw error
    }
  }
}

async function expectArchived(own: Authority): Promise<void> {
  for (const { txid, hash } of own.recorded.filter(({ txid: at }) => at <= own.archived).slice(-4))
    expect(await own.restored({ kind: 'txid', txid }), `transaction ${txid}`).toEqual({ txid, hash })
}

describe('with faults at random', () => {
  test('archived data is there after any fault, and in the end all data is archived', async () => {
    let [failed, compared] = [0, 0]
    const drawn = fc.infiniteStream(
      fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: fc.constantFrom(...FAULTS) }),
    )
    const works = fc.array(fc.constantFrom('upload', 'compact', 'snapshot', 'retain', 'claim'), {
      minLength: 4,
      maxLength: 10,
    })
    await fc.assert(
      fc.asyncProperty(drawn, works, async (faults, steps) => {
        const own = await authority()
        proxy.choose = () => faults.next().value
        failed += await insist(own, () => own.claim())
        for (const step of steps) {
          own.grow(2)
          if (step === 'upload') failed += await insist(own, () => own.upload())
          if (step === 'compact') failed += await insist(own, () => own.compact(1))
          if (step === 'snapshot') failed += await insist(own, () => own.snapshot())
          if (step === 'retain') failed += await insist(own, () => own.retain(KEEP_ALL))
          if (step === 'claim') failed += await insist(own, () => own.claim())
          await expectArchived(own)
        }
        proxy.choose = () => undefined
        await own.claim()
        await own.upload()
        expect(own.archived).toBe(own.recorded.at(-1)?.txid)
        for (const { txid, hash } of own.recorded) {
          expect(await own.restored({ kind: 'txid', txid }), `transaction ${txid}`).toEqual({ txid, hash })
          compared += 1
        }
      }),
      { numRuns: 5, endOnFailure: true },
    )
    expect(compared).toBeGreaterThan(16)
    for (const fault of FAULTS) expect(proxy.happened.get(fault) ?? 0, fault).toBeGreaterThan(0)
    expect(failed).toBeLessThan(200)
  })
})

describe('with one permanent fault', () => {
  test.each<Fault>(['busy', 'refused', 'cut request', 'lost reply', 'late', 'lie'])(
    '%s: nothing is acknowledged as archived; once it ends, everything is',
    async (fault) => {
      const own = await authority()
      await own.claim()
      await own.upload()
      const before = own.archived
      own.grow(3)
      proxy.choose = ({ method }) => (method === 'PUT' ? fault : undefined)
      await expect(own.upload()).rejects.toMatchObject({ code: 'archive_unavailable' })
      expect(own.archived).toBe(before)
      proxy.choose = () => undefined
      await own.claim()
      await own.upload()
      expect(own.archived).toBe(own.recorded.at(-1)?.txid)
      await expectArchived(own)
    },
  )

  test('an answer that is cut is never taken for the whole', async () => {
    const folder = `faults-${(folders += 1)}`
    const [direct, between] = [store.address, proxy.address].map((address) => openBucket(urlOf(address, folder)))
    await direct!.put('ltx/0/a.ltx', Buffer.alloc(100_000, 'abc'), 0)
    proxy.choose = () => 'cut reply'
    await expect(between!.get('ltx/0/a.ltx')).rejects.toMatchObject({ code: 'archive_unavailable' })
    await expect(between!.list('ltx/')).rejects.toMatchObject({ code: 'archive_unavailable' })
  })
})

describe('an answer that is lost after the store did it', () => {
  const losing = (times: number): void => {
    let left = times
    proxy.choose = () => ((left -= 1) >= 0 ? 'lost reply' : undefined)
  }
  const bucket = (): ReturnType<typeof openBucket> => openBucket(urlOf(proxy.address, `faults-${(folders += 1)}`))

  test('of a create: a retry recognises its own object, and another writer’s object as foreign', async () => {
    const storage = bucket()
    losing(1)
    expect(await storage.create('one', Buffer.from('ours'))).toBe(true)
    losing(1)
    expect(await storage.create('one', Buffer.from('another'))).toBe(false)
    expect((await storage.get('one'))?.toString()).toBe('ours')
  })

  test('of the last request of a large upload', async () => {
    const storage = bucket()
    const bytes = Buffer.alloc(S3_PART_BYTES_MIN + 999, 'pattern')
    let lost = 0
    proxy.choose = ({ method, path }) =>
      method === 'POST' && path.includes('uploadId') && (lost += 1) === 1 ? 'lost reply' : undefined
    await storage.put('ltx/9/a.ltx', bytes, 0)
    expect(lost).toBe(2)
    proxy.choose = () => undefined
    expect((await storage.get('ltx/9/a.ltx'))?.equals(bytes)).toBe(true)
  })

  test('of deleting', async () => {
    const storage = bucket()
    proxy.choose = () => undefined
    await storage.put('a', Buffer.from('x'), 0)
    losing(1)
    await storage.delete('a')
    expect(await storage.get('a')).toBeUndefined()
  })
})

test('a large upload without all of its parts never becomes an object, however slow the rest is', async () => {
  const folder = `faults-${(folders += 1)}`
  const storage = openBucket(urlOf(proxy.address, folder))
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let number = 0; number < 4; number += 1) {
      yield Buffer.alloc(S3_PART_BYTES_MIN, number)
      await setTimeout(700)
    }
  }
  proxy.choose = ({ path }) => (path.includes('partNumber=1&') ? 'refused' : undefined)
  await expect(storage.put('ltx/9/a.ltx', { bytes: 4 * S3_PART_BYTES_MIN, pieces }, 0)).rejects.toMatchObject({
    code: 'archive_unavailable',
  })
  expect(await storage.list('')).toEqual([])
})

test('a writer that dies in a large upload leaves parts that nobody sees, and they are swept', async () => {
  const folder = `faults-${(folders += 1)}`
  const url = urlOf(store.address, folder)
  const [own, other] = [openBucket(urlOf(proxy.address, folder)), openBucket(url)]
  const client = new S3Client({
    settings: parseS3Url(url, {}),
    credentials: () => readCredentials(KEYS),
    clock: systemClock,
    entropy: systemEntropy,
  })
  const uploads = async (): Promise<number> => {
    const query = { uploads: '', prefix: `${folder}/` }
    const { body } = await client.send({ method: 'GET', query, doing: 'listing uploads' })
    return elements(body.toString(), 'Upload').length
  }
  let parts = 0
  proxy.choose = ({ path }) => ((parts += Number(path.includes('partNumber'))) > 1 ? 'refused' : undefined)
  await expect(own.put('ltx/9/a.ltx', Buffer.alloc(3 * S3_PART_BYTES_MIN), 0)).rejects.toMatchObject({
    code: 'archive_unavailable',
  })
  expect(await uploads()).toBe(1)
  expect(await other.list('')).toEqual([])
  await other.sweep()
  expect(await uploads()).toBe(0)
})

describe('a list that comes late', () => {
  test('hides no claim and no entry: the leader continues, and any other primary is fenced', async () => {
    const own = await authority()
    await own.claim()
    proxy.choose = ({ isList }) => (isList ? 'stale list' : undefined)
    own.grow(1)
    await own.upload()
    await own.claim()
    expect(own.archived).toBe(own.recorded.at(-1)?.txid)
    own.grow(1)
    await own.upload()
    proxy.choose = () => undefined
    await own.claim()
    await expectArchived(own)
  })
})
