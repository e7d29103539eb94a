/** Pure core that plans a restore: the files to read for a transaction or a time, or why that state cannot be restored. */
import { MacaroondError } from '../errors.ts'
import { txidText, type Txid } from '../ids.ts'
import { chainFrom, chainTo, type Chain } from './chain.ts'
import type { ArchivedFile } from './layout.ts'

export type RestoreTarget =
  /** The newest state that can be restored. */
  | { readonly kind: 'head' }
  | { readonly kind: 'txid'; readonly txid: Txid }
  /** The state at that time: every transaction up to and including it, unix milliseconds. */
  | { readonly kind: 'time'; readonly atMs: number }

/** A state that can be restored. */
export interface RestorePoint {
  readonly txid: Txid
  readonly timestampMs: number
}

export interface RestorePlan {
  /** Files in the order in which they are read. */
  readonly files: readonly ArchivedFile[]
  readonly bytes: number
  /** The restored state. */
  readonly point: RestorePoint
  /** The last file; it has the epoch and the checksum of the restored state. */
  readonly last: ArchivedFile
  /**
   * The next later state that can be restored; undefined if this is the newest. If transactions lie between, they are merged or
   * missing, and cannot be restored separately.
   */
  readonly next: RestorePoint | undefined
}

/** The first and the last state that can be restored; there may be gaps between. Undefined for an empty archive. */
export function restorableWindow(
  files: readonly ArchivedFile[],
): { readonly first: RestorePoint; readonly last: RestorePoint } | undefined {
  const newest = chainTo(files, newestTxid(files))
  return newest === undefined ? undefined : windowOf(files, newest)
}

function windowOf(files: readonly ArchivedFile[], newest: Chain): { first: RestorePoint; last: RestorePoint } {
  const wholes = files.filter(({ minTxid }) => minTxid === 1)
  const first = wholes.reduce((least, file) => (file.maxTxid < least.maxTxid ? file : least))
  return { first: pointOf(first), last: pointOf(newest.files.at(-1)!) }
}

/** All ranges that can be restored, ascending. Files are missing between two ranges. */
export function restorableRanges(
  files: readonly ArchivedFile[],
): readonly { readonly first: RestorePoint; readonly last: RestorePoint }[] {
  const wholes = files.filter(({ minTxid }) => minTxid === 1).toSorted((a, b) => a.maxTxid - b.maxTxid)
  const ranges: { first: RestorePoint; last: RestorePoint }[] = []
  for (const whole of wholes) {
    const before = ranges.at(-1)
    if (before !== undefined && whole.maxTxid <= before.last.txid) continue
    ranges.push({ first: pointOf(whole), last: pointOf(chainFrom(files, whole).files.at(-1)!) })
  }
  return ranges
}

/** Throws restore_target, whose hint says what can be restored. A target after `nowMs` is refused. */
export function planRestore(files: readonly ArchivedFile[], target: RestoreTarget, nowMs: number): RestorePlan {
  const newest = chainTo(files, newestTxid(files))
  if (newest === undefined)
    throw unreachable('the archive holds no whole database', 'check the place: it may be empty, or not an archive')
  const window = windowOf(files, newest)
  const available = `the archive has ${pointText(window.first)} to ${pointText(window.last)}`
  switch (target.kind) {
    case 'head':
      return planOf(files, newest)
    case 'txid':
      return planOf(files, requireChain(files, target.txid, available))
    case 'time':
      return planOf(files, chainToTime(files, target.atMs, nowMs, available))
  }
}

export function pointText({ txid, timestampMs }: RestorePoint): string {
  return `transaction ${txidText(txid)} of ${new Date(timestampMs).toISOString()}`
}

function chainToTime(files: readonly ArchivedFile[], atMs: number, nowMs: number, available: string): Chain {
  if (atMs > nowMs) throw unreachable(`${new Date(atMs).toISOString()} is in the future`, available)
  const before = files.filter(({ timestampMs }) => timestampMs <= atMs)
  if (before.length === 0) throw unreachable(`the archive begins after ${new Date(atMs).toISOString()}`, available)
  return requireChain(before, newestTxid(before), available)
}

function requireChain(files: readonly ArchivedFile[], target: Txid, available: string): Chain {
  const chain = chainTo(files, target)
  if (chain?.reaches === target) return chain
  const nearest = chain?.files.at(-1)
  const before = nearest === undefined ? '' : `; the nearest before it is ${pointText(pointOf(nearest))}`
  const inside = files.some(({ minTxid, maxTxid }) => minTxid <= target && target < maxTxid && minTxid > 1)
  const why = inside
    ? 'is inside a merged file'
    : 'cannot be restored: it was not archived, or files before it are missing'
  throw unreachable(`transaction ${txidText(target)} ${why}`, `${available}${before}`)
}

function planOf(files: readonly ArchivedFile[], chain: Chain): RestorePlan {
  const last = chain.files.at(-1)!
  const bytes = chain.files.reduce((sum, file) => sum + file.bytes, 0)
  return { files: chain.files, bytes, point: pointOf(last), last, next: nextAfter(files, chain.reaches) }
}

/** The earliest later state: the end of a file that continues from `txid`, or of a later whole database. */
function nextAfter(files: readonly ArchivedFile[], txid: Txid): RestorePoint | undefined {
  const later = files.filter(({ minTxid, maxTxid }) => maxTxid > txid && (minTxid <= txid + 1 || minTxid === 1))
  const next = later.reduce<ArchivedFile | undefined>(
    (least, file) => (least === undefined || file.maxTxid < least.maxTxid ? file : least),
    undefined,
  )
  return next === undefined ? undefined : pointOf(next)
}

function pointOf({ maxTxid, timestampMs }: ArchivedFile): RestorePoint {
  return { txid: maxTxid, timestampMs }
}

function newestTxid(files: readonly ArchivedFile[]): Txid {
  return files.reduce((most, { maxTxid }) => (maxTxid > most ? maxTxid : most), 0 as Txid)
}

function unreachable(what: string, available: string): MacaroondError {
  return new MacaroondError('restore_target', what, { hint: available })
}
