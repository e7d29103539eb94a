/**
 * The manifest: a signed list of the archive's files, so that a person who can write to the bucket cannot drop, swap or forge
 * a file unnoticed. It is a chain of entries, one for each round of uploads, compaction or deletion.
 *
 * - Each entry has the hash of the one before, so no entry can be left out or moved.
 * - The key of an entry is its number, and it is created only if absent, so two primaries cannot both continue one chain.
 * - After many changes an entry is a base: it lists all files, and the entries before it are deleted.
 */
import { z } from 'zod'
import { sha256, type Ed25519PrivateKey } from '../crypto.ts'
import { timelineText } from '../id-schemas.ts'
import { checksumText, epoch, EPOCH_MAX, parseChecksum, txid, type Epoch, type Timeline } from '../ids.ts'
import { isPosition } from '../position.ts'
import { type ArchivedFile, segmentKey } from './layout.ts'
import { decodeSigned, encodeSigned } from './signed-document.ts'

export const MANIFEST_GENESIS: string = '0'.repeat(64)

/**
 * Level, first and last transaction, bytes, SHA-256, timestamp, epoch, post-apply checksum. It is an array and not an object,
 * because a base has one for each file.
 */
type FileRecord = readonly [number, number, number, number, string, number, number, string]

export interface ManifestEntry {
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  /** Number of the entry: from 1, without gaps, across epochs. */
  readonly seq: number
  /** SHA-256 of the entry before, including its signature; zeros for the first. */
  readonly previous: string
  /** Wall clock of the primary, unix milliseconds. */
  readonly atMs: number
  /** True if `added` lists all files of the archive, so that earlier entries are not needed any more. */
  readonly base: boolean
  /** Text of the position up to which everything of this epoch is in the archive; null before its first upload. */
  readonly head: string | null
  readonly added: readonly ArchivedFile[]
  /** Keys of files that are about to be deleted. */
  readonly removed: readonly string[]
}

const HASH = /^[0-9a-f]{64}$/

const count = z.number().int().nonnegative()
const hash = z.string().regex(HASH)

const LEVEL_MAX = 9
const CHECKSUM = /^[0-9a-f]{16}$/
const NUMERIC_FIELDS = [0, 1, 2, 3, 5, 6] as const

/** Checks a record without a schema, which would take ten times as long: a base has a record for each file of the archive. */
function isFileRecord(value: unknown): value is FileRecord {
  if (!Array.isArray(value) || value.length !== 8) return false
  const [level, min, max, , sha, , ofEpoch, checksum] = value as readonly unknown[]
  return (
    NUMERIC_FIELDS.every((at) => isCount(value[at])) &&
    Number(level) <= LEVEL_MAX &&
    Number(min) >= 1 &&
    Number(min) <= Number(max) &&
    Number(ofEpoch) <= EPOCH_MAX &&
    typeof sha === 'string' &&
    HASH.test(sha) &&
    typeof checksum === 'string' &&
    CHECKSUM.test(checksum)
  )
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

const fileRecords: z.ZodType<readonly FileRecord[]> = z.custom<readonly FileRecord[]>(
  (value) => Array.isArray(value) && value.every(isFileRecord),
)

interface Document {
  readonly cluster: string
  readonly epoch: number
  readonly timeline: string
  readonly seq: number
  readonly previous: string
  readonly atMs: number
  readonly base: boolean
  readonly head: string | null
  readonly added: readonly FileRecord[]
  readonly removed: readonly string[]
}

const document: z.ZodType<Document> = z.strictObject({
  cluster: z.string(),
  epoch: count.max(EPOCH_MAX),
  timeline: timelineText,
  seq: count,
  previous: hash,
  atMs: count,
  base: z.boolean(),
  head: z.string().refine(isPosition).nullable(),
  added: fileRecords,
  removed: z.array(z.string()),
})

export function encodeEntry(entry: ManifestEntry, key: Ed25519PrivateKey): Buffer {
  const written: Document = { ...entry, added: entry.added.map(toRecord) }
  return encodeSigned('archive manifest', written, key)
}

/** Checks the signature and the form. Throws archive_damaged, with `name` in the message. */
export function decodeEntry(bytes: Buffer, publicKey: Uint8Array, name: string): ManifestEntry {
  const read = decodeSigned(bytes, { kind: 'archive manifest', schema: document, publicKey, name })
  const added = read.added.map(fromRecord)
  return { ...read, epoch: epoch(read.epoch), timeline: read.timeline as Timeline, added }
}

export function hashOfEntry(bytes: Uint8Array): string {
  return sha256(bytes).toString('hex')
}

function toRecord({ level, minTxid, maxTxid, bytes, sha256: hex, timestampMs, ...rest }: ArchivedFile): FileRecord {
  const checksum = rest.postApply === undefined ? '0'.repeat(16) : checksumText(rest.postApply)
  return [level, minTxid, maxTxid, bytes, hex ?? '', timestampMs, rest.epoch ?? 0, checksum]
}

function fromRecord([level, min, max, bytes, hex, timestampMs, ofEpoch, checksum]: FileRecord): ArchivedFile {
  const range = { minTxid: txid(min), maxTxid: txid(max) }
  const postApply = parseChecksum(checksum)
  return {
    ...range,
    key: segmentKey(level, range),
    level,
    bytes,
    sha256: hex,
    timestampMs,
    epoch: epoch(ofEpoch),
    postApply,
  }
}
