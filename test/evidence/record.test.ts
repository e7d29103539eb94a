import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MacaroondError } from '../../shared/errors.ts'
import { addEvidence, readEvidence, seedsThatRan } from './file.ts'
import { type MutantRecord, missingStretches, seedsOf, type SimulatedRecord, type Stretch } from './record.ts'

const RUN = { commit: '0123456789', date: '2026-01-02' }
const COUNTS = {
  verifications: 100,
  insideBound: 10,
  afterBound: 20,
  afterGlobal: 3,
  leased: 2,
  leasedAnswered: 2,
  unleased: 1,
}

function simulated(first: number, seeds: number, changes: Partial<SimulatedRecord> = {}): SimulatedRecord {
  const shown = { wallSeconds: 2.5, counts: COUNTS, faults: { killed: 4 }, violations: [], worst: 0.5 }
  return {
    t: 'simulated',
    ...RUN,
    steps: 25,
    twice: false,
    stretches: [[first, seeds]],
    virtualSeconds: 60,
    ...shown,
    ...changes,
  }
}

function freshFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-evidence-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'runs.ndjson')
}

test('a run begins where the runs before it ended, and fills what they left out', () => {
  expect(missingStretches([1, 10], [], 4)).toEqual([
    [1, 4],
    [5, 4],
    [9, 2],
  ])
  expect(missingStretches([1, 10], [[1, 4]], 4)).toEqual([
    [5, 4],
    [9, 2],
  ])
  const islands: readonly Stretch[] = [
    [20, 5],
    [3, 2],
    [4, 3],
    [0, 1],
  ]
  expect(missingStretches([1, 10], islands, 100)).toEqual([
    [1, 2],
    [7, 4],
  ])
  expect(missingStretches([1, 10], [[0, 50]], 4)).toEqual([])
  expect(missingStretches([5, 5], [[0, 7]], 4)).toEqual([[7, 3]])
})

test('chunks of one day on one commit become one line, and nothing of them is lost', () => {
  const path = freshFile()
  addEvidence(path, simulated(1, 200))
  addEvidence(
    path,
    simulated(201, 200, { worst: 0.75, violations: ['seed 300: S1'], faults: { killed: 1, asleep: 2 } }),
  )
  const [record, ...others] = readEvidence(path)
  expect(others).toEqual([])
  expect(record).toMatchObject({ stretches: [[1, 400]], wallSeconds: 5, virtualSeconds: 120, worst: 0.75 })
  expect(record).toMatchObject({ faults: { killed: 5, asleep: 2 }, violations: ['seed 300: S1'] })
  expect(record).toMatchObject({ counts: { verifications: 200, insideBound: 20, afterBound: 40, leasedAnswered: 4 } })
})

test('runs on another commit are lines of their own, and their seeds count as run', () => {
  const path = freshFile()
  addEvidence(path, simulated(1, 200))
  addEvidence(path, simulated(201, 100, { commit: 'fedcba9876' }))
  addEvidence(path, simulated(301, 100, { steps: 50 }))
  const records = readEvidence(path)
  expect(records).toHaveLength(3)
  expect(seedsOf(missingStretches([1, 400], seedsThatRan(records, 25), 50))).toBe(100)
})

test('a mutant keeps only the line of its last catch', () => {
  const path = freshFile()
  const mutant: MutantRecord = {
    t: 'mutant',
    by: 'simulator',
    ...RUN,
    name: 'a lease never ends',
    breaks: 'S4',
    seeds: 12,
  }
  addEvidence(path, mutant)
  addEvidence(path, { ...mutant, seeds: 3 })
  expect(readEvidence(path)).toEqual([{ ...mutant, seeds: 3 }])
})

test('a file that is no evidence is refused with the line, and stays as it is', () => {
  const path = freshFile()
  const text = `${JSON.stringify(simulated(1, 2))}\nnot a record\n`
  writeFileSync(path, text)
  expect(() => addEvidence(path, simulated(3, 2))).toThrow(MacaroondError)
  expect(() => readEvidence(path)).toThrow('runs.ndjson:2 is no record')
  expect(readFileSync(path, 'utf8')).toBe(text)
})
