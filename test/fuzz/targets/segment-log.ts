/** The log of segments on a primary's disk. */
import { readFileSync, rmSync } from 'node:fs'
import { LogFile } from '../../../primary/commit-log/log-file.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { txid } from '../../../shared/ids.ts'
import { encodeSegment } from '../../../shared/ltx/encoder.ts'
import { damaged } from '../damage.ts'
import { mendRecords } from '../mend-records.ts'
import { scratch, scratchFile } from '../scratch.ts'
import { countText, requireBytes, requireSame, type Target } from '../target.ts'

const SEGMENTS: readonly Buffer[] = [1, 2, 3].map((number) =>
  encodeSegment(
    {
      pageSize: 512,
      commit: 2,
      minTxid: txid(number + 1),
      maxTxid: txid(number + 1),
      timestampMs: 5,
      walOffset: 0,
      walSize: 0,
      walSalt1: 0,
      walSalt2: 0,
      nodeId: 0n,
      epoch: undefined,
      preApply: undefined,
      postApply: undefined,
    },
    [{ pgno: number > 1 ? 2 : 1, data: Buffer.alloc(512, number) }],
  ),
)
const FIRST = 2

function segmentLog(): Buffer {
  const path = scratch('written.segments')
  rmSync(path, { force: true })
  const file = new LogFile(path, FIRST)
  for (const segment of SEGMENTS) file.append(segment)
  file.close()
  return readFileSync(path)
}

let log: Buffer | undefined

function writtenLog(): Buffer {
  log ??= segmentLog()
  return log
}

/** Of the newest file, whose torn end is cut off, and of an older one, which has none. */
function readLog(input: Buffer, repair: boolean): readonly Buffer[] {
  const file = new LogFile(scratchFile('read.segments', input), FIRST)
  try {
    file.scan(repair)
    return Array.from({ length: file.count }, (_, index) => file.read(FIRST + index))
  } finally {
    file.close()
  }
}

function runLog(input: Buffer): string {
  const repaired = endOf(() => readLog(input, true))
  const strict = endOf(() => readLog(input, false))
  // What needs no repair is the same with it.
  if (strict.length !== undefined) requireSame(repaired, strict, 'a sound log was repaired')
  return `${strict.length === undefined ? strict.code : 'sound'}, repaired ${repaired.length === undefined ? repaired.code : countText(repaired.length)}`
}

function runDamagedLog(input: Buffer): string {
  for (const repair of [true, false]) {
    const segments = endOf(() => readLog(input, repair))
    const beginning = segments.length === undefined ? [] : SEGMENTS.slice(0, segments.length)
    if (segments.length === undefined) continue
    requireBytes(Buffer.concat(segments), Buffer.concat(beginning), 'not the beginning of what was written')
    if (!repair) return 'whole'
  }
  return 'a beginning, or none'
}

function endOf<T extends readonly unknown[]>(
  read: () => T,
): T | { readonly code: string; readonly length?: undefined } {
  try {
    return read()
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'log_corrupt') return { code: error.code }
    throw error
  }
}

export const SEGMENT_LOG_TARGETS: readonly Target[] = [
  {
    name: 'segment log',
    seeds: () => [segmentLog()],
    run: runLog,
    mend: (input) => mendRecords(input, { magic: 4, header: 12 }),
    codes: [],
    every: 4,
    reach: ['sound, repaired several', 'log_corrupt, repaired one', 'log_corrupt, repaired none'],
  },
  {
    name: 'damaged segment log',
    seeds: () => [segmentLog()],
    run: runDamagedLog,
    vary: (random) => damaged(writtenLog(), random),
    codes: [],
    every: 4,
    reach: ['whole', 'a beginning, or none'],
  },
]
