/** Files of an archive, for plans: nobody reads their content. */
import { type ArchivedFile, segmentKey } from '../../../shared/archive/layout.ts'
import { epoch, txid } from '../../../shared/ids.ts'

/** Transaction n was committed at n seconds. */
export function archivedFile(level: number, min: number, max: number, of: number = 1): ArchivedFile {
  const range = { minTxid: txid(min), maxTxid: txid(max) }
  const common = { bytes: 100, sha256: 'a'.repeat(64), epoch: epoch(of), postApply: undefined }
  return { ...range, ...common, key: segmentKey(level, range), level, timestampMs: max * 1_000 }
}

export const archivedSingles = (from: number, to: number): ArchivedFile[] =>
  Array.from({ length: to - from + 1 }, (_, index) => archivedFile(0, from + index, from + index))
