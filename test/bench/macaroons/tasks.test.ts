import { expect, it } from 'vitest'
import { missingFor } from './libmacaroons.ts'
import { predicates } from './specimen.ts'
import { CAVEAT_COUNTS, type Operation, RIVALS, TASKS, tasksFor } from './tasks.ts'

const OPERATIONS: readonly Operation[] = [
  'parse',
  'verify',
  'parse_verify',
  'attenuate',
  'demand',
  'discharge',
  'verify_discharged',
]

it.each(RIVALS)('every operation is measured beside %s', (rival) => {
  const operations = new Set(tasksFor([rival]).map(({ operation }) => operation))
  expect([...operations].toSorted()).toEqual(OPERATIONS.toSorted())
})

it('a task of an absent library is not measured, and the rest is', () => {
  const tasks = tasksFor(['npm macaroon'])
  expect(tasks.every(({ rivals }) => rivals.length === 1 && rivals[0] === 'npm macaroon')).toBe(true)
  expect(tasks.some(({ form }) => form === 'v1')).toBe(false)
  expect(tasksFor(RIVALS)).toEqual(TASKS)
  expect(tasksFor([])).toEqual([])
})

it('a format is parsed beside those that read it', () => {
  const pairs = TASKS.flatMap(({ form, rivals }) =>
    form === undefined ? [] : rivals.map((rival) => `${form} ${rival}`),
  )
  expect(new Set(pairs)).toEqual(new Set(['v1 libmacaroons', 'v2 npm macaroon', 'v2j npm macaroon']))
})

it('tokens of all lengths have caveats that differ', () => {
  for (const count of CAVEAT_COUNTS) expect(new Set(predicates(count)).size).toBe(count)
})

it.each([
  ['a compiler', { code: 'ENOENT' }, /C compiler.*apt-get install gcc/],
  [
    'the header',
    { code: 1, stderr: 'x.c:17:10: fatal error: macaroons.h: No such file or directory' },
    /libmacaroons-dev/,
  ],
  [
    'the header, in the words of clang',
    { code: 1, stderr: "fatal error: 'macaroons.h' file not found" },
    /libmacaroons-dev/,
  ],
  ['the library', { code: 1, stderr: '/usr/bin/ld: cannot find -lmacaroons' }, /libmacaroons-dev/],
])('a missing part is named with how to get it: %s', (_, error, wanted) => {
  expect(missingFor(error)).toMatch(wanted)
})

it('a compile error of another kind is not taken for a missing library', () => {
  expect(missingFor({ code: 1, stderr: "libmacaroons.c:40:3: error: expected ';'" })).toBeUndefined()
  expect(missingFor({ code: 1, stderr: 'fatal error: stdio.h: No such file or directory' })).toBeUndefined()
})
