/** Tries which faults this machine can inject, prints them, and names the rows of the matrix that cannot run here. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DONE_OTHERWISE, FACILITIES, installable, missingFacilities } from './facilities/facilities.ts'
import { MATRIX } from './facilities/matrix.ts'

const ROOT = join(import.meta.dirname, '../..')

test('every facility that faults need is here, or its absence and the skipped rows are named', () => {
  const missing = missingFacilities()
  for (const [name, { gives }] of Object.entries(FACILITIES)) {
    console.log(`${name} (${gives}): ${[...missing].find(([other]) => other === name)?.[1] ?? 'works'}`)
  }
  for (const [name, how] of Object.entries(DONE_OTHERWISE)) console.log(`${name} is not used: ${how}`)
  for (const { fault, needs, without } of MATRIX) {
    const lacking = needs.filter((name) => missing.has(name))
    if (lacking.length > 0) console.log(`NOT or only in part done here, for want of ${lacking.join(', ')}: ${fault}`)
    if (without !== undefined) console.log(`of "${fault}": ${without}`)
  }
  expect(process.env['CI'] === undefined ? [] : installable(missing), 'CI has all that packages bring').toEqual([])
})

test.each(MATRIX)('a test injects: $fault', ({ by }) => {
  expect(by).not.toEqual([])
  for (const { file, test: title = '' } of by) {
    const path = join(ROOT, file)
    expect(existsSync(path), file).toBe(true)
    expect(readFileSync(path, 'utf8'), file).toContain(title)
  }
})
