/** Reads and writes the file of evidence, one record a line. A write is atomic, so a killed suite loses only its own record. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { MacaroondError } from '../../shared/errors.ts'
import { writeAtomically } from '../../shared/files/write-atomically.ts'
import {
  type EvidenceRecord,
  type MutantRecord,
  type ProcessesRecord,
  type Run,
  type Stretch,
  withRecord,
} from './record.ts'

/** Names the file for suites that take no arguments. */
const EVIDENCE_VARIABLE = 'CHAOS_EVIDENCE'

/** Nothing where there is no file. Throws request_invalid with the number of the line that is no record. */
export function readEvidence(path: string): readonly EvidenceRecord[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.flatMap((line, index) => (line === '' ? [] : [readRecord(line, `${path}:${index + 1}`)]))
}

function readRecord(line: string, place: string): EvidenceRecord {
  const kinds: readonly unknown[] = ['simulated', 'processes', 'mutant']
  try {
    const record = JSON.parse(line) as EvidenceRecord
    if (kinds.includes(record.t)) return record
  } catch {
    // Said below.
  }
  const hint = 'give a file that --evidence has written, or a name that is free'
  throw new MacaroondError('request_invalid', `${place} is no record of evidence`, { hint })
}

/** Reads again before it writes: another suite may have told something meanwhile. */
export function addEvidence(path: string, record: EvidenceRecord): void {
  const records = withRecord(readEvidence(path), record)
  writeAtomically(path, records.map((one) => `${JSON.stringify(one)}\n`).join(''))
}

/** Adds what a suite has shown, where the environment names a file for it. */
export function keepEvidence(record: Omit<MutantRecord, keyof Run> | Omit<ProcessesRecord, keyof Run>): void {
  const path = process.env[EVIDENCE_VARIABLE]
  if (path !== undefined) addEvidence(path, { ...record, ...commitAndDate() })
}

/** Seeds that have run with that many steps, on whatever commit. */
export function seedsThatRan(records: readonly EvidenceRecord[], steps: number): readonly Stretch[] {
  return records.flatMap((record) => (record.t === 'simulated' && record.steps === steps ? record.stretches : []))
}

/** Of the tree that runs, and today. */
export function commitAndDate(): Run {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  const others = ['--', ':/', ':(top,exclude)test/evidence/*.ndjson', ':(top,exclude)EVIDENCE.md']
  const isChanged = git('status', '--porcelain', '--untracked-files=no', ...others) !== ''
  const commit = `${git('rev-parse', '--short=10', 'HEAD')}${isChanged ? '+' : ''}`
  return { commit, date: new Date().toISOString().slice(0, 10) }
}
