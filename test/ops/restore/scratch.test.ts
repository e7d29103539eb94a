import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Scratch } from '../../../ops/restore/scratch.ts'
import { scratchDirectory } from '../../shared/sqlite/scratch.ts'

test('a restore neither reads nor writes a folder that only a newer version understands', () => {
  const folder = scratchDirectory()
  const data = join(folder, 'primary')
  mkdirSync(data)
  for (const name of ['macaroond.db', 'node.lock', 'required-made-up']) writeFileSync(join(data, name), '')
  const refused = expect.objectContaining({ code: 'schema_newer' })
  const scratch = new Scratch(join(folder, 'restored.db'))
  expect(() => scratch.copyNode(data, 'old.db')).toThrow(refused)
  scratch.close()
  rmSync(join(data, 'macaroond.db'))
  expect(() => new Scratch(join(data, 'macaroond.db'))).toThrow(refused)
})
