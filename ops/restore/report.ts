/** A restore's preview and result as lines and as a JSON document: the plan, the carried revocations, the next steps. */
import { pointText, type RestorePlan } from '../../shared/archive/restore-plan.ts'
import { table } from '../terminal.ts'
import type { CarryOver, StillRefusing, PendingRevocations } from './carry-over.ts'
import { revocationText } from './describe.ts'
import type { Preview, Restored } from './restore.ts'
import type { HeadVerdict } from './witness.ts'

/** The assumed speed if none was measured: decoding and checksumming on a common disk. */
const BYTES_PER_SECOND = 100_000_000

export function previewDocument(preview: Preview): object {
  const { plan, pages, carried, unread, remarks, head, waiting, refusing, bytesPerSecond } = preview
  return {
    plan: plan === undefined ? null : planDocument(plan, bytesPerSecond),
    ...(pages === undefined ? {} : { pages }),
    carried: carried === undefined ? null : carriedDocument(carried),
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

function carriedDocument({ revocations, there, sources }: CarryOver): object {
  return { revocations: revocations.length, there, known: there + revocations.length, sources }
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

/** How exact the restored state is: the newest; followed by the next transaction; or followed by a merged range. */
function grainOf({ point, next }: Pick<RestorePlan, 'point' | 'next'>): 'newest' | 'transaction' | 'merged' {
  if (next === undefined) return 'newest'
  return next.txid === point.txid + 1 ? 'transaction' : 'merged'
}

export function previewLines(preview: Preview): readonly string[] {
  const { plan, pages, carried, unread, remarks, head, waiting, refusing } = preview
  const sources =
    carried?.sources.map(({ from, known, carried: more }) => [from, `knows ${known}`, `${more} added`]) ?? []
  return [
    ...(pages?.map((text) => `from ${text}`) ?? []),
    ...(plan === undefined && pages === undefined ? ['from the copy of a replica'] : []),
    ...(plan === undefined ? [] : planLines(plan, preview.bytesPerSecond)),
    ...revocationsLines(preview),
    ...table(sources).map((line) => `  ${line}`),
    ...unread.map((text) => `NOT SURE: ${text}`),
    ...(head === undefined ? [] : [headLine(head)]),
    ...waiting.flatMap(waitingLines),
    ...refusing.map(refusingLine),
    ...remarks.map((text) => `note: ${text}`),
  ]
}

/** Says how many revocations the result has of those that are known, and that none is lost, if that is so. */
function revocationsLines({ revocations, carried, unread, waiting, refusing, head }: Preview): readonly string[] {
  if (revocations === undefined) return []
  const { there, beyond } = revocations
  const added = carried === undefined ? 0 : beyond
  const counts = `${there + beyond} known, ${there + added} in the result (${there} already there, ${added} added)`
  const isAll = unread.length === 0 && waiting.length === 0 && refusing.length === 0
  const isCertain = isAll && head?.witnessed === true
  if (added < beyond) return [`revocations: ${counts}`, `  ${beyond - added} ARE LEFT OUT`]
  return [`revocations: ${counts}`, ...(isCertain ? ['  no revocation is lost'] : [])]
}

function headLine(head: HeadVerdict): string {
  return head.witnessed
    ? `newest state confirmed by ${head.by}`
    : `NOT WITNESSED: no witness confirms that the newest state was read: ${head.why}`
}

/** Printed before and after the restore, because the operator must act on it after the start. */
function refusingLine({ from, revocations }: StillRefusing): string {
  const these = revocations === 1 ? '1 revocation' : `${revocations} revocations`
  return `STILL REFUSED: ${from} enforces ${these} that this restore leaves out, until an operator runs \`macaroond revocations forget\``
}

/** The most revocations shown for one place, so that the preview fits on the screen. The JSON document has all. */
const SHOWN_MAX = 20

function waitingLines({ from, revocations }: PendingRevocations): readonly string[] {
  const shown = revocations.slice(0, SHOWN_MAX).map(({ columns }) => `  ${revocationText(columns)}`)
  const more = revocations.length - shown.length
  return [
    `UNSIGNED: revocations that no other place knows, from ${from}: ${revocations.length}; they wait for \`macaroond revocations adopt|forget\` after the start`,
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
      : `  the next state that can be restored is ${pointText(next)}${grain === 'merged' ? ': the states between are merged' : ''}`,
  ]
}

function secondsFor(bytes: number, bytesPerSecond: number = BYTES_PER_SECOND): number {
  return Math.round((bytes / bytesPerSecond) * 10) / 10
}

export function restoredDocument({ preview, begun, left }: Restored, file: string): object {
  const remarks = left === undefined ? preview.remarks : [...preview.remarks, left]
  const after =
    begun === undefined ? null : { epoch: begun.epoch, timeline: begun.timeline, txid: begun.txid, owed: begun.owed }
  return { file, ...previewDocument({ ...preview, remarks }), begun: after }
}

export function restoredLines({ preview, begun, left }: Restored, file: string): readonly string[] {
  const notes = left === undefined ? [] : [`note: ${left}`]
  if (begun === undefined)
    return [`restored ${file}; it is no database of macaroond, so nothing was added to it`, ...notes]
  return [
    ...notes,
    `restored ${file}: epoch ${begun.epoch} begins at transaction ${begun.txid}`,
    'next: stop the old primary permanently, put this file into an empty data folder as macaroond.db, and start the primary;',
    'replicas fetch a snapshot from it by themselves',
    ...(begun.owed === 0 ? [] : [owedLine(begun.owed)]),
    ...preview.refusing.map(refusingLine),
  ]
}

function owedLine(owed: number): string {
  const these = owed === 1 ? '1 cut-off was requested' : `${owed} cut-offs were requested`
  return `note: ${these} while the clock was in doubt: the primary appends ${owed === 1 ? 'it' : 'them'} at its start, before it mints`
}
