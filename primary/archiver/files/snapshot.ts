/**
 * Uploads the whole database as a snapshot. It first writes the snapshot to a scratch file on the primary's disk, and uploads
 * that file. So the view of the database, which keeps SQLite from resetting its WAL, is released before the slow upload.
 */
import { REPAIR_HINT } from '../../../shared/repair-hint.ts'
import { closeSync, createReadStream, fstatSync, openSync, rmSync } from 'node:fs'
import { type ArchivedFile, LEVEL_SNAPSHOT, segmentKey } from '../../../shared/archive/layout.ts'
import type { ManifestWriter } from '../chain/manifest-writer.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import type { Timers } from '../../../shared/clock.ts'
import { Sha256 } from '../../../shared/crypto.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { type Checksum, checksumText, txid as asTxid, type Txid } from '../../../shared/ids.ts'
import type { Position } from '../../../shared/position.ts'
import { storageError } from '../../../shared/files/storage-errors.ts'
import { snapshotFields, writeSnapshot } from '../../commit-log/write-snapshot.ts'
import type { CommittedHistory } from '../source.ts'

export interface SnapshotOptions {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestWriter
  readonly source: CommittedHistory
  /**
   * True if the log lacks the transaction after the archive's last one. The snapshot then becomes the head, and the
   * transactions in the gap cannot be restored separately.
   */
  readonly bridgesGap: boolean
  /** Scratch file on the primary's disk. A leftover of a crash is overwritten. */
  readonly path: string
  readonly signal: AbortSignal
  readonly timers: Timers
}

/** A snapshot whose file is in the archive, but that no entry names yet. */
export interface UploadedSnapshot {
  readonly file: ArchivedFile
  readonly position: Position
}

/**
 * Uploads and records a snapshot. Returns its transaction if it bridges a gap. Throws database_corrupt before anything is
 * uploaded.
 */
export async function snapshot(options: SnapshotOptions): Promise<Txid | undefined> {
  return recordSnapshot(options, await uploadSnapshot(options))
}

/**
 * Uploads the file only, and adds no entry. If an entry already names a snapshot of this state, only the same bytes are
 * uploaded again, which repairs a damaged file; other bytes would contradict that entry. Throws database_corrupt before
 * anything is uploaded.
 */
export async function uploadSnapshot(options: Omit<SnapshotOptions, 'bridgesGap'>): Promise<UploadedSnapshot> {
  const { storage, manifest, source, path, signal, timers } = options
  const position = source.head
  const range = { minTxid: asTxid(1), maxTxid: position.txid }
  const key = segmentKey(LEVEL_SNAPSHOT, range)
  const named = manifest.state.files.get(key)
  // Two attempts must be the same bytes: the store may carry out a request that was given up after the entry of a later one.
  const timestampMs = named?.timestampMs ?? source.headMs
  try {
    const { checksum, bytes } = await write({ source, position, path, timestampMs, signal, timers })
    if (checksum !== position.checksum) throw damaged(checksum, position.checksum)
    const sha256 = await hashOf(path)
    if (named !== undefined && named.sha256 !== sha256) return { file: named, position }
    await storage.put(key, { bytes, pieces: () => createReadStream(path) }, timestampMs)
    const { epoch } = position
    const file = { ...range, key, level: LEVEL_SNAPSHOT, bytes, timestampMs, sha256, epoch, postApply: checksum }
    return { file, position }
  } finally {
    rmSync(path, { force: true })
  }
}

export async function recordSnapshot(
  { manifest, bridgesGap }: Pick<SnapshotOptions, 'manifest' | 'bridgesGap'>,
  { file, position }: UploadedSnapshot,
): Promise<Txid | undefined> {
  await manifest.append({ head: bridgesGap ? position : manifest.state.head, added: [file], removed: [] })
  return bridgesGap ? position.txid : undefined
}

async function write({
  source,
  position,
  path,
  timestampMs,
  signal,
  timers,
}: Pick<SnapshotOptions, 'source' | 'path' | 'signal' | 'timers'> & {
  readonly position: Position
  readonly timestampMs: number
}): Promise<{ readonly checksum: Checksum; readonly bytes: number }> {
  const fd = open(path)
  try {
    const view = source.pin()
    try {
      const checksum = await writeSnapshot(view, snapshotFields(view.pageCount, position, timestampMs), fd, {
        signal,
        timers,
      })
      return { checksum, bytes: fstatSync(fd).size }
    } finally {
      view.release()
    }
  } finally {
    closeSync(fd)
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'w', 0o600)
  } catch (error) {
    throw storageError(error, `creating ${path}`)
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = new Sha256()
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
  return hash.hex()
}

function damaged(
  found: Parameters<typeof checksumText>[0],
  expected: Parameters<typeof checksumText>[0],
): MacaroondError {
  return new MacaroondError(
    'database_corrupt',
    `the pages give checksum ${checksumText(found)}, not ${checksumText(expected)}: the disk changed them`,
    { hint: REPAIR_HINT },
  )
}
