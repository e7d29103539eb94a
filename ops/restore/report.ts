/** A restore in words and as a document: the plan, what is carried over and from where, and what comes next. */
import { pointText, type RestorePlan } from '../../shared/archive/restore-plan.ts'
import { table } from '../terminal.ts'
import type { Refusing, PendingRevocations } from './carry-over.ts'
import { revocationText } from './describe.ts'
import type { Preview, Restored } from './restore.ts'
import type { Head } from './witness.ts'

/** When nothing was measured: a common disk's worth of decoding and checksumming. */
const BYTES_PER_SECOND = 100_000_000

export function previewDocument(preview: Preview): object {
  const { plan, pages, carried, unread, remarks, head, waiting, refusing, bytesPerSecond } = preview
  return {
    plan: plan === undefined ? null : planDocument(plan, bytesPerSecond),
    ...(pages === undefined ? {} : { pages }),
    carried: carried === undefined ? null : { revocations: carried.revocations.length, sources: carried.sources },
    unread,
    remarks,
    head: head ?? null,
    refusing,
    waiting: waiting.map(({ from, revocations }) => ({
      from,
      revocations: revocations.map(({ columns }) => revocationText(columns)),
    })),
  }
}

function planDocument({ files, bytes, point, next }: RestorePlan, bytesPerSecond: number | undefined): object {
  return {
    txid: point.txid,
    timestampMs: point.timestampMs,
    files: files.map(({ key }) => key),
    bytes,
    estimatedSeconds: secondsFor(bytes, bytesPerSecond),
    next: next ?? null,
    grain: grainOf({ point, next }),
  }
}

/** Whether the next state that can be had is the next transaction. */
function grainOf({ point, next }: Pick<RestorePlan, 'point' | 'next'>): 'newest' | 'transaction' | 'merged' {
  if (next === undefined) return 'newest'
  return next.txid === point.txid + 1 ? 'transaction' : 'merged'
}

export function previewLines(preview: Preview): readonly string[] {
  const { plan, pages, carried, unread, remarks, head, waiting, refusing } = preview
  const sources =
    carried?.sources.map(({ from, known, carried: more }) => [from, `knows ${known}`, `${more} carried over`]) ?? []
  return [
    ...(pages?.map((text) => `from ${text}`) ?? []),
    ...(plan === undefined && pages === undefined ? ['from the copy of a replica'] : []),
    ...(plan === undefined ? [] : planLines(plan, preview.bytesPerSecond)),
    ...(carried === undefined ? [] : [`revocations carried over: ${carried.revocations.length}`]),
    ...table(sources).map((line) => `  ${line}`),
    ...unread.map((text) => `NOT SURE: ${text}`),
    ...(head === undefined ? [] : [headLine(head)]),
    ...waiting.flatMap(waitingLines),
    ...refusing.map(refusingLine),
    ...remarks.map((text) => `note: ${text}`),
  ]
}

function headLine(head: Head): string {
  return head.witnessed ? `newest state seen by ${head.by}` : `NOT WITNESSED: nobody saw the newest state: ${head.why}`
}

function refusingLine({ from, revocations }: Refusing): string {
  const these = revocations === 1 ? '1 revocation' : `${revocations} revocations`
  return `STILL REFUSED: ${from} goes on refusing by ${these} that this leaves out, until somebody types \`macaroond revocations forget\``
}

/** All of them are in the document. */
const SHOWN_MAX = 20

function waitingLines({ from, revocations }: PendingRevocations): readonly string[] {
  const shown = revocations.slice(0, SHOWN_MAX).map(({ columns }) => `  ${revocationText(columns)}`)
  const more = revocations.length - shown.length
  return [
    `UNSIGNED: revocations that nobody else knows, from ${from}: ${revocations.length}; they wait for \`macaroond revocations adopt|forget\` after the start`,
    ...shown,
    ...(more > 0 ? [`  and ${more} more (--json has all)`] : []),
  ]
}

function planLines(plan: RestorePlan, bytesPerSecond: number | undefined): readonly string[] {
  const { files, bytes, point, next } = plan
  const levels = Object.entries(Object.groupBy(files, ({ level }) => String(level))).map(
    ([level, some]) => `${some?.length ?? 0} of level ${level}`,
  )
  const grain = grainOf(plan)
  return [
    `to ${pointText(point)}`,
    `  ${files.length} files (${levels.join(', ')}), ${bytes} bytes, about ${secondsFor(bytes, bytesPerSecond)} s`,
    grain === 'newest' || next === undefined
      ? '  this is the newest state of the archive'
      : `  the next state that can be had is ${pointText(next)}${grain === 'merged' ? ': what is between is merged' : ''}`,
  ]
}

function secondsFor(bytes: number, bytesPerSecond: number = BYTES_PER_SECOND): number {
  return Math.round((bytes / bytesPerSecond) * 10) / 10
}

export function restoredDocument({ preview, begun, left }: Restored, file: string): object {
  const remarks = left === undefined ? preview.remarks : [...preview.remarks, left]
  const after = begun === undefined ? null : { epoch: begun.epoch, timeline: begun.timeline, txid: begun.txid }
  return { file, ...previewDocument({ ...preview, remarks }), begun: after }
}

export function restoredLines({ preview, begun, left }: Restored, file: string): readonly string[] {
  const notes = left === undefined ? [] : [`note: ${left}`]
  if (begun === undefined)
    return [`restored ${file}; it is no database of macaroond, so nothing was added to it`, ...notes]
  return [
    ...notes,
    `restored ${file}: epoch ${begun.epoch} begins at transaction ${begun.txid}`,
    'next: stop the old primary for good, put this file into an empty data folder as macaroond.db, and start the primary;',
    'replicas take a snapshot of it by themselves',
    ...preview.refusing.map(refusingLine),
  ]
}
