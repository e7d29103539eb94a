import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import { conformance } from './conformance.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'macaroond-archive-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

describe('a directory whose reads hold up the thread', () => {
  conformance(() => DirectoryStorage.open(folder(), { blocking: true }))
})

describe('a directory', () => {
  conformance(() => DirectoryStorage.open(folder()))

  test('has the timestamp of a segment as its time, to the millisecond: litestream restores by it', async () => {
    const path = folder()
    const storage = await DirectoryStorage.open(path)
    await storage.put('ltx/0/a.ltx', Buffer.from('x'), 1_700_000_000_123)
    expect(Math.round(statSync(join(path, 'ltx/0/a.ltx')).mtimeMs)).toBe(1_700_000_000_123)
    expect((await storage.list('ltx/'))[0]?.timestampMs).toBe(1_700_000_000_123)
  })

  test('a source that fails half way leaves the object as it was, and nothing beside it', async () => {
    const path = folder()
    const storage = await DirectoryStorage.open(path)
    await storage.put('ltx/0/a.ltx', Buffer.from('before'), 1)
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('half')
      throw new Error('the source broke')
    }
    await expect(storage.put('ltx/0/a.ltx', { bytes: 8, pieces: failing }, 2)).rejects.toThrow('writing ltx/0/a.ltx')
    expect((await storage.get('ltx/0/a.ltx'))?.toString()).toBe('before')
    expect(readdirSync(join(path, 'ltx/0'))).toEqual(['a.ltx'])
  })

  test('whose disk fails is unreachable for now: nobody takes it for a failure of the own disk', async () => {
    const path = folder()
    mkdirSync(join(path, 'ltx/0/a.ltx'), { recursive: true })
    for (const blocking of [false, true]) {
      const storage = await DirectoryStorage.open(path, { blocking })
      const failure = { code: 'archive_unavailable', message: 'EISDIR while reading ltx/0/a.ltx' }
      await expect(storage.get('ltx/0/a.ltx')).rejects.toMatchObject(failure)
    }
  })

  test('a file that a crash left half written is in no list, and is swept', async () => {
    const path = folder()
    const storage = await DirectoryStorage.open(path)
    await storage.put('ltx/0/a.ltx', Buffer.from('x'), 1)
    const left = join(path, 'ltx/0/.tmp-99-1')
    writeFileSync(left, 'half')
    expect((await storage.list('ltx/')).map(({ key }) => key)).toEqual(['ltx/0/a.ltx'])
    await storage.sweep()
    expect(existsSync(left)).toBe(false)
    expect((await storage.get('ltx/0/a.ltx'))?.toString()).toBe('x')
  })

  test('a missing directory is reported, and created only for a writer', async () => {
    const path = join(folder(), 'new')
    await expect(openArchive(path)).rejects.toMatchObject({ code: 'archive_missing' })
    await openArchive(path, { create: true })
    await expect(openArchive(`file://${path}`)).resolves.toMatchObject({ location: path })
    await expect(openArchive('gopher://x')).rejects.toMatchObject({ code: 'config_invalid' })
  })
})

test('a FIFO in the place of an object is damage, and keeps nobody waiting', async () => {
  const path = folder()
  mkdirSync(join(path, 'ltx/0'), { recursive: true })
  execFileSync('mkfifo', [join(path, 'ltx/0/a.ltx')])
  for (const blocking of [true, false]) {
    const storage = await DirectoryStorage.open(path, { blocking })
    await expect(storage.get('ltx/0/a.ltx')).rejects.toMatchObject({ code: 'archive_damaged' })
    await expect(storage.get('ltx/0/a.ltx', { start: 0, length: 9 })).rejects.toMatchObject({ code: 'archive_damaged' })
    expect(await storage.list('ltx/')).toMatchObject([{ key: 'ltx/0/a.ltx', bytes: 0 }])
  }
})
