import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { probe, tryArchive } from '../../../ops/doctor/archive.ts'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { systemEntropy } from '../../../shared/clock.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-probe-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function archive(name: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  return path
}

/** A real store, with some of its answers replaced. */
function behaving(store: ArchiveStorage, as: (store: ArchiveStorage) => Partial<ArchiveStorage>): ArchiveStorage {
  const whole: ArchiveStorage = {
    location: store.location,
    isBucket: store.isBucket,
    list: (prefix) => store.list(prefix),
    get: (key, range, into) => store.get(key, range, into),
    put: (key, content, timestampMs) => store.put(key, content, timestampMs),
    create: (...args) => store.create(...args),
    delete: (key) => store.delete(key),
    sweep: () => store.sweep(),
  }
  return { ...whole, ...as(store) }
}

describe('an archive that is tried', () => {
  test('keeps nothing of it', async () => {
    const path = archive('well')
    writeFileSync(join(path, 'theirs'), 'x')
    await tryArchive(path, systemEntropy)
    await tryArchive(`file://${path}`, systemEntropy)
    expect(readdirSync(path, { recursive: true }).filter((name) => String(name).includes('doctor'))).toEqual([])
  })

  test('may be missing, if the primary can make it', async () => {
    await tryArchive(join(folder, 'not-yet', 'deeper'), systemEntropy)
    expect(readdirSync(folder)).not.toContain('not-yet')
  })

  test('is no archive if it is a file', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expect(tryArchive(join(folder, 'file'), systemEntropy)).rejects.toMatchObject({ code: /archive_/ })
  })

  test('is refused if it overwrites what it was told to leave, or loses what it acknowledged', async () => {
    const store = await DirectoryStorage.open(archive('careless'))
    const overwriting = behaving(store, ({ put }) => ({
      create: async (key, bytes) => put.call(store, key, bytes, 0).then(() => true),
    }))
    await expect(probe(overwriting, systemEntropy)).rejects.toMatchObject({
      code: 'platform_unsupported',
      hint: expect.stringContaining('If-None-Match'),
    })
    const losing = behaving(store, () => ({ create: async () => true }))
    await expect(probe(losing, systemEntropy)).rejects.toMatchObject({ code: 'archive_unavailable' })
    expect(await store.list('macaroond/')).toEqual([])
  })
})
