/**
 * Stores a file that no entry names yet, without replacing another file. A copy of this primary may have archived other
 * transactions under the name, and must not lose them to a primary that does not know of it.
 */
import { type ArchivedFile, LEVEL_COMMITTED, segmentKey } from '../../../shared/archive/layout.ts'
import { type ArchiveStorage, notWritten } from '../../../shared/archive/storage.ts'
import { sha256 } from '../../../shared/crypto.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { decodeSegment, type Segment } from '../../../shared/ltx/decoder.ts'
import { decodeHeader, type SegmentFields } from '../../../shared/ltx/header.ts'

/** A file to upload: its record for the manifest, and its bytes. */
export interface Outgoing {
  readonly file: ArchivedFile
  readonly bytes: Buffer
}

export function outgoingOf(level: number, bytes: Buffer, fields: SegmentFields = decodeHeader(bytes)): Outgoing {
  const { minTxid, maxTxid, timestampMs, epoch, postApply } = fields
  const range = { minTxid, maxTxid }
  const hash = sha256(bytes).toString('hex')
  const file = { ...range, key: segmentKey(level, range), level, bytes: bytes.length, timestampMs, sha256: hash }
  return { file: { ...file, epoch, postApply }, bytes }
}

/**
 * Returns the file as an entry must name it. A crash may have left the same transactions under the name, also in an encoding of
 * another version; they are kept as they are. The entry then takes only size and hash from them, because somebody without a key
 * may have put them there. Throws archive_damaged if other transactions are there.
 */
export async function createFile(storage: ArchiveStorage, { file, bytes }: Outgoing): Promise<ArchivedFile> {
  if (await storage.create(file.key, bytes, file.timestampMs)) return file
  const existing = await storage.get(file.key)
  if (existing === undefined) throw notWritten(storage, file.key)
  if (existing.equals(bytes)) return file
  const found = decodeUnlessCorrupt(existing)
  if (found !== undefined) {
    if (!isSame(found, decodeSegment(bytes))) throw takenByOther(storage, file)
    const isOfSameTime = found.header.timestampMs === file.timestampMs
    if (isOfSameTime) return { ...file, bytes: existing.length, sha256: sha256(existing).toString('hex') }
  }
  // Replacing loses nothing: the name has no file that could be restored, or these pages with a time that is not theirs. A
  // merge would read that time from the file, and no primary that committed these pages writes it.
  await storage.put(file.key, bytes, file.timestampMs)
  return file
}

function decodeUnlessCorrupt(bytes: Buffer): Segment | undefined {
  try {
    return decodeSegment(bytes)
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'segment_corrupt') return undefined
    throw error
  }
}

/** Compares the transactions and every page, because somebody who writes to the store can make any checksum fit. */
function isSame(found: Segment, own: Segment): boolean {
  const fields = ['minTxid', 'maxTxid', 'pageSize', 'commit', 'epoch', 'preApply', 'postApply'] as const
  const isEqual = fields.every((field) => found.header[field] === own.header[field])
  return (
    isEqual &&
    found.pages.length === own.pages.length &&
    found.pages.every(({ pgno, data }, index) => own.pages[index]?.pgno === pgno && own.pages[index].data.equals(data))
  )
}

function takenByOther({ location }: ArchiveStorage, { key, level }: ArchivedFile): MacaroondError {
  const what = level === LEVEL_COMMITTED ? 'transactions' : 'merged transactions'
  return new MacaroondError(
    'archive_damaged',
    `${key} in ${location} holds other ${what} than this primary committed`,
    {
      hint: 'check that no copy of this primary runs elsewhere; if none does, somebody put the file there: move it away',
    },
  )
}
