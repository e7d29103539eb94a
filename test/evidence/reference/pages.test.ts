import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { expect, test } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { ROOT } from '../gathered.ts'
import { ERROR_GROUPS, ERROR_MEANINGS } from './error-meanings.ts'
import { REFERENCE_PAGES } from './pages.ts'

test.for(Object.entries(REFERENCE_PAGES).map(([path, write]) => [relative(ROOT, path), path, write] as const))(
  '%s says what the code says; `npm run evidence` writes it',
  async ([, path, write]) => {
    expect(readFileSync(path, 'utf8')).toBe(await write())
  },
)

test('every code of an error is on the page once, in a group', () => {
  const listed = ERROR_GROUPS.flatMap(([, codes]) => codes)
  expect(listed).toEqual(Object.keys(ERROR_MEANINGS))
  expect(new Set(listed).size).toBe(listed.length)
  for (const code of listed) expect(new MacaroondError(code, '').kind).toBeDefined()
})
