/**
 * Names of objects in an archive. Segments are `ltx/<level>/<min>-<max>.ltx`, as litestream names them. Everything else is
 * under `macaroond/`.
 */
import { assert } from '../errors.ts'
import type { Checksum, Epoch } from '../ids.ts'
import { parseSegmentFileName, segmentFileName, type TxidRange } from '../ltx/file-name.ts'

/** Level of segments of single transactions. */
export const LEVEL_COMMITTED = 0
/** Levels of merged files, each merged from the level below: by default every 30 seconds, every 5 minutes, every hour. */
export const LEVELS_MERGED = [1, 2, 3] as const
/** Level of snapshots. */
export const LEVEL_SNAPSHOT = 9
const LEVELS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

export const SEGMENTS_PREFIX = 'ltx/'
export const MANIFEST_PREFIX = 'macaroond/manifest/'
export const EPOCHS_PREFIX = 'macaroond/epochs/'
export const PROBE_KEY = 'macaroond/probe'

/** One segment in the archive, as the manifest describes it. Without a manifest only its name, size and time are known. */
export interface ArchivedFile extends TxidRange {
  readonly key: string
  readonly level: number
  readonly bytes: number
  /** Time of the commit of its last transaction, unix milliseconds. */
  readonly timestampMs: number
  /** SHA-256 in hex; undefined without a manifest. */
  readonly sha256: string | undefined
  readonly epoch: Epoch | undefined
  /** Checksum of the database after the last transaction, as the primary computed it when it committed. */
  readonly postApply: Checksum | undefined
}

export function segmentKey(level: number, range: TxidRange): string {
  assert(LEVELS.includes(level), `level ${level} is one of litestream's`)
  return `${SEGMENTS_PREFIX}${level}/${segmentFileName(range)}`
}

/** Parses the key of a segment; undefined for any other key. */
export function parseSegmentKey(key: string): (TxidRange & { readonly level: number }) | undefined {
  const [, level, name] = /^ltx\/(\d)\/([^/]+)$/.exec(key) ?? []
  const range = name === undefined ? undefined : parseSegmentFileName(name)
  return range === undefined ? undefined : { ...range, level: Number(level) }
}

/** Key of an entry. The keys sort by number. */
export function manifestKey(seq: number): string {
  return `${MANIFEST_PREFIX}${seq.toString(16).padStart(16, '0')}.json`
}

export function parseManifestKey(key: string): number | undefined {
  const [, hex] = /^macaroond\/manifest\/([0-9a-f]{16})\.json$/.exec(key) ?? []
  const seq = hex === undefined ? Number.NaN : Number.parseInt(hex, 16)
  return Number.isSafeInteger(seq) ? seq : undefined
}

export function epochKey(epoch: Epoch): string {
  return `${EPOCHS_PREFIX}${epoch.toString(16).padStart(8, '0')}.json`
}

export function parseEpochKey(key: string): number | undefined {
  const [, hex] = /^macaroond\/epochs\/([0-9a-f]{8})\.json$/.exec(key) ?? []
  return hex === undefined ? undefined : Number.parseInt(hex, 16)
}
