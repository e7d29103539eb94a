import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CALLS_PAGE, callsPage } from './calls-page.ts'

test('docs/calls.md says of every call what the code says; `npm run evidence` writes it', () => {
  expect(readFileSync(CALLS_PAGE, 'utf8')).toBe(callsPage())
})
