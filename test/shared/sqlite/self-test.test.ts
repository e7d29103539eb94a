import { chmodSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { selfTest } from '../../../shared/sqlite/self-test.ts'
import { scratchDirectory } from './scratch.ts'

test('this platform passes, and nothing is left behind', async () => {
  const directory = scratchDirectory()
  await selfTest(directory, systemEntropy)
  expect(readdirSync(directory)).toEqual([])
})

test('a directory that cannot be used is refused with a code', async () => {
  await expect(selfTest('/nowhere/at/all', systemEntropy)).rejects.toMatchObject({ code: 'io_failed' })
  const directory = scratchDirectory()
  chmodSync(directory, 0o500)
  if (process.getuid?.() !== 0) {
    await expect(selfTest(directory, systemEntropy)).rejects.toMatchObject({ code: 'io_failed' })
  }
})
