/** The archive in a bucket of a real S3 store. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { requireCreateIfAbsent } from '../../../primary/archiver/chain/claim-epoch.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { S3_PART_BYTES_MIN } from '../../../shared/limits.ts'
import { scratch } from '../../recovery/archive/authority.ts'
import { canMount, named, smallVolume } from '../../integration/cluster/small-volume.ts'
import { conformance } from '../../shared/archive/conformance.ts'
import { KEYS, openBucket, startStore, type Store, urlOf } from './store.ts'

let store: Store
let folders = 0
const folder = (): string => `archive-${(folders += 1)}`

beforeAll(async () => {
  store = await startStore()
}, 600_000)
afterAll(() => store.stop())

describe('a bucket', () => {
  conformance(() => Promise.resolve(openBucket(urlOf(store.address, folder()))))

  test('has litestream’s names for the levels, and ours below the same folder for the rest', async () => {
    const below = folder()
    const storage = openBucket(urlOf(store.address, below))
    await storage.put('ltx/9/0000000000000001-0000000000000002.ltx', Buffer.from('x'), 0)
    await storage.create('macaroond/epochs/00000001.json', Buffer.from('y'))
    expect(readdirSync(join(store.folder, below)).toSorted()).toEqual(['0009', 'macaroond'])
    expect((await storage.list('ltx/')).map(({ key }) => key)).toEqual(['ltx/9/0000000000000001-0000000000000002.ltx'])
    expect((await storage.list('ltx/9/')).map(({ key }) => key)).toEqual([
      'ltx/9/0000000000000001-0000000000000002.ltx',
    ])
    expect(await storage.list('ltx/0/')).toEqual([])
  })

  test('gives a list of more objects than one answer holds', async () => {
    const storage = openBucket(urlOf(store.address, folder()))
    const keys = Array.from({ length: 1_003 }, (_, index) => `ltx/0/${String(index).padStart(5, '0')}.ltx`)
    for (let at = 0; at < keys.length; at += 50)
      await Promise.all(keys.slice(at, at + 50).map((key) => storage.put(key, Buffer.from('x'), 0)))
    expect((await storage.list('ltx/0/')).map(({ key }) => key)).toEqual(keys)
  })

  test('takes what is larger than one part in parts, and leaves none of them behind', async () => {
    const below = folder()
    const storage = openBucket(urlOf(store.address, below))
    const bytes = Buffer.alloc(2 * S3_PART_BYTES_MIN + 12_345, 'another uneven pattern')
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += 3_000_000) yield bytes.subarray(at, at + 3_000_000)
    }
    await storage.put('ltx/9/whole.ltx', { bytes: bytes.length, pieces }, 0)
    expect((await storage.get('ltx/9/whole.ltx'))?.equals(bytes)).toBe(true)
    expect(await storage.list('')).toHaveLength(1)
  })

  test('an upload that ends early, or whose source breaks, changes nothing', async () => {
    const storage = openBucket(urlOf(store.address, folder()))
    await storage.put('ltx/9/whole.ltx', Buffer.from('before'), 0)
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(S3_PART_BYTES_MIN)
      throw new Error('the source broke')
    }
    const short = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(S3_PART_BYTES_MIN)
    }
    for (const pieces of [broken, short])
      await expect(storage.put('ltx/9/whole.ltx', { bytes: 2 * S3_PART_BYTES_MIN, pieces }, 0)).rejects.toThrow(
        'writing',
      )
    expect((await storage.get('ltx/9/whole.ltx'))?.toString()).toBe('before')
    expect(await storage.list('')).toHaveLength(1)
  })

  test('passes the probe for conditional writes', async () => {
    const storage = openBucket(urlOf(store.address, folder()))
    for (const start of ['the first', 'another'])
      await expect(requireCreateIfAbsent(storage, systemEntropy), start).resolves.toBeUndefined()
  })

  test('keeps a folder with spaces, dots and other letters as it was written', async () => {
    const storage = openBucket(urlOf(store.address, 'of%20us/ä+b.c/(1)'))
    await storage.put('ltx/0/a.ltx', Buffer.from('x'), 0)
    expect((await storage.get('ltx/0/a.ltx'))?.toString()).toBe('x')
    expect(await storage.list('ltx/')).toHaveLength(1)
    expect(readdirSync(join(store.folder, 'of us', 'ä+b.c', '(1)'))).toEqual(['0000'])
  })
})

describe('a fault of a bucket is reported without a secret', () => {
  const open = (env: NodeJS.ProcessEnv, bucket?: string): ReturnType<typeof openBucket> => {
    const credentials = (): never => ({ accessKeyId: env['ID'], secretAccessKey: env['SECRET'] }) as never
    return openBucket(urlOf(store.address, 'f', bucket), { credentials })
  }
  const right = { ID: KEYS.AWS_ACCESS_KEY_ID, SECRET: KEYS.AWS_SECRET_ACCESS_KEY }

  test.each([
    ['a bucket that is not there', right, 'no-such-bucket', 'archive_missing'],
    ['a wrong secret', { ...right, SECRET: 'not-it-8d1' }, undefined, 'archive_denied'],
    ['an unknown key', { ...right, ID: 'nobody-5c2' }, undefined, 'archive_denied'],
  ])('%s', async (_, env, bucket, code) => {
    const storage = open(env, bucket)
    const works = [
      () => storage.list('ltx/'),
      () => storage.get('ltx/0/a.ltx'),
      () => storage.put('ltx/0/a.ltx', Buffer.from('x'), 0),
      () => storage.create('a', Buffer.from('x')),
      () => storage.delete('a'),
      () => storage.put('ltx/9/a.ltx', Buffer.alloc(S3_PART_BYTES_MIN + 1), 0),
    ]
    for (const work of works) {
      const error: unknown = await work().then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      expect(error).toMatchObject({ code, hint: expect.stringMatching(/.{20}/) })
      expect(String((error as Error).message) + String((error as { hint: string }).hint)).not.toMatch(
        new RegExp(`${env.SECRET}|${env.ID}|Signature=`),
      )
    }
  })

  test('a clock that is far off', async () => {
    const storage = openBucket(urlOf(store.address, 'f'), { clock: { wallMs: () => 1_700_000_000_000 } })
    await expect(storage.list('ltx/')).rejects.toMatchObject({
      code: 'archive_denied',
      hint: expect.stringContaining('clock'),
    })
  })

  test('another region', async () => {
    const storage = openBucket(`s3://archives/f?endpoint=http://${store.address}&region=eu-north-1`)
    await expect(storage.list('ltx/')).rejects.toMatchObject({
      code: 'archive_missing',
      hint: expect.stringContaining('region'),
    })
  })

  test.skipIf(!canMount)(`a store without room${named}: what was there before stays`, async () => {
    const small = await startStore(smallVolume(join(scratch(), 'volume'), 4_000_000))
    onTestFinished(() => small.stop())
    const storage = openBucket(urlOf(small.address, 'f'))
    await storage.put('ltx/0/a.ltx', Buffer.alloc(2_500_000, 'a'), 0)
    await expect(storage.put('ltx/0/b.ltx', Buffer.alloc(2_500_000, 'b'), 0)).rejects.toMatchObject({
      code: 'disk_full',
    })
    expect(await storage.get('ltx/0/b.ltx')).toBeUndefined()
    expect((await storage.get('ltx/0/a.ltx'))?.length).toBe(2_500_000)
    await storage.delete('ltx/0/a.ltx')
    await storage.put('ltx/0/b.ltx', Buffer.alloc(2_500_000, 'b'), 0)
  })

  test('nobody there', async () => {
    const storage = openBucket(urlOf('127.0.0.1:9', 'f'))
    await expect(storage.list('ltx/')).rejects.toMatchObject({ code: 'archive_unavailable' })
  })
})
