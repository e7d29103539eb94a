/** The conformance suite of every storage backend. */
import { expect, test } from 'vitest'
import type { ArchiveStorage, Content } from '../../../shared/archive/storage.ts'
import { piecesOf } from '../../../shared/archive/storage.ts'
import { ARCHIVE_READ_BYTES } from '../../../shared/limits.ts'

const TIME_MS = 1_700_000_000_123

const text = (value: string): Buffer => Buffer.from(value)

function pieces(...parts: readonly string[]): Content {
  const source = async function* (): AsyncGenerator<Buffer> {
    for (const part of parts) yield text(part)
  }
  return { bytes: parts.join('').length, pieces: source }
}

export function conformance(open: () => Promise<ArchiveStorage>): void {
  test('a stored file is there, whole and in parts, until another put replaces it', async () => {
    const storage = await open()
    await storage.put('ltx/0/a.ltx', text('first'), TIME_MS)
    await storage.put('ltx/0/a.ltx', pieces('sec', 'ond'), TIME_MS)
    expect((await storage.get('ltx/0/a.ltx'))?.toString()).toBe('second')
    expect((await storage.get('ltx/0/a.ltx', { start: 2, length: 3 }))?.toString()).toBe('con')
    expect((await storage.get('ltx/0/a.ltx', { start: 4, length: 100 }))?.toString()).toBe('nd')
    expect((await storage.get('ltx/0/a.ltx', { start: 6, length: 100 }))?.length).toBe(0)
  })

  test('a missing file is undefined, and deleting it is no error', async () => {
    const storage = await open()
    expect(await storage.get('ltx/0/none.ltx')).toBeUndefined()
    expect(await storage.get('ltx/0/none.ltx', { start: 0, length: 1 })).toBeUndefined()
    await storage.delete('ltx/0/none.ltx')
    expect(await storage.list('ltx/')).toEqual([])
  })

  test('a list has the objects under a prefix, in order of their keys, with their sizes', async () => {
    const storage = await open()
    for (const key of ['ltx/1/b.ltx', 'ltx/0/c.ltx', 'other/d', 'ltx/0/a.ltx'])
      await storage.put(key, text(key), TIME_MS)
    expect((await storage.list('ltx/')).map(({ key, bytes }) => [key, bytes])).toEqual([
      ['ltx/0/a.ltx', 11],
      ['ltx/0/c.ltx', 11],
      ['ltx/1/b.ltx', 11],
    ])
    expect((await storage.list('ltx/0/c')).map(({ key }) => key)).toEqual(['ltx/0/c.ltx'])
    await storage.delete('ltx/0/a.ltx')
    expect((await storage.list('ltx/0/')).map(({ key }) => key)).toEqual(['ltx/0/c.ltx'])
  })

  test('an object is created only if there is none, also when many try at once', async () => {
    const storage = await open()
    const tries = await Promise.all(Array.from({ length: 8 }, (_, index) => storage.create('one', text(`by ${index}`))))
    expect(tries.filter(Boolean)).toHaveLength(1)
    expect((await storage.get('one'))?.toString()).toBe(`by ${tries.indexOf(true)}`)
    expect(await storage.create('one', text('later'))).toBe(false)
    expect((await storage.get('one'))?.toString()).toBe(`by ${tries.indexOf(true)}`)
  })

  test('a file is created only if there is none, with the time that it is given', async () => {
    const storage = await open()
    expect(await storage.create('ltx/0/a.ltx', text('first'), TIME_MS)).toBe(true)
    expect(await storage.create('ltx/0/a.ltx', text('second'), TIME_MS)).toBe(false)
    expect((await storage.get('ltx/0/a.ltx'))?.toString()).toBe('first')
    const [file] = await storage.list('ltx/0/')
    if (!storage.isBucket) expect(file?.timestampMs).toBe(TIME_MS)
  })

  test('a large object comes back in pieces, to the last byte', async () => {
    const storage = await open()
    const bytes = Buffer.alloc(ARCHIVE_READ_BYTES + 1_234_567, 'an uneven pattern')
    await storage.put('large', bytes, TIME_MS)
    const read: Buffer[] = []
    for await (const piece of piecesOf(storage, 'large', bytes.length)) read.push(Buffer.from(piece))
    expect(Buffer.concat(read).equals(bytes)).toBe(true)
  })
}
