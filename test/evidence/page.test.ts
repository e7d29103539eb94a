import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { filesOf, ROOMS } from './cores.ts'
import { gathered, isLow, PAGE, ROOT } from './gathered.ts'
import { pageOf } from './page.ts'
import { PROMISES } from './promises.ts'

const S_PROMISES = 13
const V_PROMISES = 9
const names = (letter: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)

test('the page of evidence says what the records of today say: `npm run evidence` writes it', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(pageOf(gathered()))
})

test('every promise has a test, or says why it has none yet', () => {
  expect(PROMISES.map(({ name }) => name)).toEqual([...names('S', S_PROMISES), ...names('V', V_PROMISES)])
  const untested = PROMISES.filter(({ proofs, notYet }) => (proofs.length === 0) === (notYet === undefined))
  expect(untested).toEqual([])
})

test.each(PROMISES.flatMap(({ name, proofs }) => proofs.map((one) => ({ name, ...one, test: one.test ?? '' }))))(
  'the proof of $name exists: $file $test',
  ({ file, test: title }) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title)
  },
)

test('the coverage is of the cores of today, and no room of them is empty', () => {
  const files = new Set(Object.values(ROOMS).flatMap(filesOf))
  for (const [room, patterns] of Object.entries(ROOMS)) {
    for (const pattern of patterns) expect(filesOf([pattern]), `${room}: ${pattern}`).not.toEqual([])
  }
  expect(
    gathered()
      .coverage.files.map(({ file }) => file)
      .toSorted(),
  ).toEqual([...files].toSorted())
})

test('the page says what is missing of each core below 95 %, and of no other', () => {
  const { coverage, reasons } = gathered()
  const low = coverage.files.filter(isLow).map(({ file }) => file)
  expect(Object.keys(reasons).toSorted()).toEqual(low.toSorted())
})

test('every planted bug on record still exists', () => {
  const { records, simulated, ofProcesses } = gathered()
  const planted = { simulator: simulated.map(({ name }) => name), processes: ofProcesses.map(({ name }) => name) }
  const gone = records.filter((record) => record.t === 'mutant' && !planted[record.by].includes(record.name))
  expect(gone).toEqual([])
})

test('every failure on record has a cause, and every cause is of a failure on record', () => {
  const { records, causes } = gathered()
  const failures = records.flatMap((record) => (record.t === 'mutant' ? [] : record.violations))
  expect(Object.keys(causes).toSorted()).toEqual(failures.toSorted())
})
