/**
 * Encodes and decodes the header of an LTX v3 file: the transactions, the page size and, in the reserved bytes, our epoch and
 * rolling checksums. One list of rules (`headerProblem`) holds for reading and writing.
 */
import { assert, MacaroondError } from '../errors.ts'
import { type Checksum, type Epoch, type Txid, txid } from '../ids.ts'
import { PAGE_NUMBER_MAX, isPageSize } from './database-pages.ts'
import { CHECKSUM_FLAG, EMPTY_CHECKSUM } from './rolling-checksum.ts'
import { readUint64, writeUint64 } from './uint64.ts'

const U32_BYTES = 4
const U64_BYTES = 8

const MAGIC = 0x4c545831 // "LTX1"
const MAGIC_AT = 0
const FLAGS_AT: number = MAGIC_AT + U32_BYTES
const PAGE_SIZE_AT: number = FLAGS_AT + U32_BYTES
const COMMIT_AT: number = PAGE_SIZE_AT + U32_BYTES
const MIN_TXID_AT: number = COMMIT_AT + U32_BYTES
const MAX_TXID_AT: number = MIN_TXID_AT + U64_BYTES
const TIMESTAMP_AT: number = MAX_TXID_AT + U64_BYTES
const STANDARD_PRE_APPLY_AT: number = TIMESTAMP_AT + U64_BYTES
const WAL_OFFSET_AT: number = STANDARD_PRE_APPLY_AT + U64_BYTES
const WAL_SIZE_AT: number = WAL_OFFSET_AT + U64_BYTES
const WAL_SALT_1_AT: number = WAL_SIZE_AT + U64_BYTES
const WAL_SALT_2_AT: number = WAL_SALT_1_AT + U32_BYTES
const NODE_ID_AT: number = WAL_SALT_2_AT + U32_BYTES
const EPOCH_AT: number = NODE_ID_AT + U64_BYTES
const PRE_APPLY_AT: number = EPOCH_AT + U32_BYTES
const POST_APPLY_AT: number = PRE_APPLY_AT + U64_BYTES
export const HEADER_BYTES: number = POST_APPLY_AT + U64_BYTES
assert(HEADER_BYTES === 100 && EPOCH_AT === 80, 'the layout of LTX v3')

/**
 * The only header flag of LTX v3: the standard fields have no rolling checksums. We always set it, because litestream's restore
 * cannot merge files that have them. Our checksums are in the reserved bytes, which litestream ignores.
 */
export const FLAG_NO_CHECKSUM = 0x2

/** The fields that the writer of a segment chooses. */
export interface SegmentFields {
  /** Bytes: a power of two from 512 to 65536. */
  readonly pageSize: number
  /** Size of the database after the last transaction, in pages; 0 deletes everything in it. */
  readonly commit: number
  /** First transaction inside. 1 makes the segment a snapshot: it then holds every page. */
  readonly minTxid: Txid
  readonly maxTxid: Txid
  /** Wall clock of the commit, unix milliseconds. */
  readonly timestampMs: number
  /** Offset and size of the frames in the WAL, in bytes, and the WAL's salts; all zero if unknown. */
  readonly walOffset: number
  readonly walSize: number
  readonly walSalt1: number
  readonly walSalt2: number
  /** Zero: litestream and macaroond do not use it. */
  readonly nodeId: bigint
  /** Undefined, like the two checksums, if litestream wrote or merged the segment. */
  readonly epoch: Epoch | undefined
  /** Rolling checksum before the first transaction; `EMPTY_CHECKSUM` in a snapshot. */
  readonly preApply: Checksum | undefined
  /** Rolling checksum after the last transaction. */
  readonly postApply: Checksum | undefined
}

export interface SegmentHeader extends SegmentFields {
  readonly flags: number
}

export function isSnapshot(header: SegmentFields): boolean {
  return header.minTxid === 1
}

/** Writes the 100 bytes into `out` at `at`, and returns the offset after them. Asserts that the fields are valid. */
export function encodeHeader(fields: SegmentFields, out: Buffer, at: number): number {
  const problem = headerProblem(fields)
  assert(problem === undefined, `segment header: ${problem}`)
  out.writeUInt32BE(MAGIC, at + MAGIC_AT)
  out.writeUInt32BE(FLAG_NO_CHECKSUM, at + FLAGS_AT)
  out.writeUInt32BE(fields.pageSize, at + PAGE_SIZE_AT)
  out.writeUInt32BE(fields.commit, at + COMMIT_AT)
  writeUint64(out, fields.minTxid, at + MIN_TXID_AT)
  writeUint64(out, fields.maxTxid, at + MAX_TXID_AT)
  writeUint64(out, fields.timestampMs, at + TIMESTAMP_AT)
  writeUint64(out, 0, at + STANDARD_PRE_APPLY_AT)
  writeUint64(out, fields.walOffset, at + WAL_OFFSET_AT)
  writeUint64(out, fields.walSize, at + WAL_SIZE_AT)
  out.writeUInt32BE(fields.walSalt1, at + WAL_SALT_1_AT)
  out.writeUInt32BE(fields.walSalt2, at + WAL_SALT_2_AT)
  out.writeBigUInt64BE(fields.nodeId, at + NODE_ID_AT)
  out.writeUInt32BE(fields.epoch ?? 0, at + EPOCH_AT)
  out.writeBigUInt64BE(fields.preApply ?? 0n, at + PRE_APPLY_AT)
  out.writeBigUInt64BE(fields.postApply ?? 0n, at + POST_APPLY_AT)
  return at + HEADER_BYTES
}

/** Reads and checks the first 100 bytes of a file. Throws segment_corrupt. */
export function decodeHeader(bytes: Buffer): SegmentHeader {
  if (bytes.length < HEADER_BYTES) throw segmentCorrupt('it ends inside the header', bytes.length)
  if (bytes.readUInt32BE(MAGIC_AT) !== MAGIC) throw segmentCorrupt('it does not begin with LTX1', MAGIC_AT)
  const flags = bytes.readUInt32BE(FLAGS_AT)
  if (flags !== FLAG_NO_CHECKSUM) throw segmentCorrupt(`header flags 0x${flags.toString(16)} are not 0x2`, FLAGS_AT)
  if (readUint64(bytes, STANDARD_PRE_APPLY_AT) !== 0) {
    throw segmentCorrupt('a pre-apply checksum, although the header flag excludes it', STANDARD_PRE_APPLY_AT)
  }
  const header: SegmentHeader = {
    flags,
    pageSize: bytes.readUInt32BE(PAGE_SIZE_AT),
    commit: bytes.readUInt32BE(COMMIT_AT),
    minTxid: readTxid(bytes, MIN_TXID_AT),
    maxTxid: readTxid(bytes, MAX_TXID_AT),
    timestampMs: readUint64(bytes, TIMESTAMP_AT),
    walOffset: readUint64(bytes, WAL_OFFSET_AT),
    walSize: readUint64(bytes, WAL_SIZE_AT),
    walSalt1: bytes.readUInt32BE(WAL_SALT_1_AT),
    walSalt2: bytes.readUInt32BE(WAL_SALT_2_AT),
    nodeId: bytes.readBigUInt64BE(NODE_ID_AT),
    ...decodeOrigin(bytes),
  }
  const problem = headerProblem(header)
  if (problem !== undefined) throw segmentCorrupt(problem, MAGIC_AT)
  return header
}

/** Reads the reserved bytes, which are all zero if litestream wrote or merged the file. */
function decodeOrigin(bytes: Buffer): Pick<SegmentFields, 'epoch' | 'preApply' | 'postApply'> {
  const epoch = bytes.readUInt32BE(EPOCH_AT) as Epoch
  const preApply = bytes.readBigUInt64BE(PRE_APPLY_AT) as Checksum
  const postApply = bytes.readBigUInt64BE(POST_APPLY_AT) as Checksum
  if (epoch === 0 && preApply === 0n && postApply === 0n) {
    return { epoch: undefined, preApply: undefined, postApply: undefined }
  }
  return { epoch, preApply, postApply }
}

function readTxid(bytes: Buffer, at: number): Txid {
  const value = readUint64(bytes, at)
  if (!Number.isSafeInteger(value)) throw segmentCorrupt('a transaction number beyond 2^53', at)
  return txid(value)
}

/** Returns the first rule that the fields break, in words, or undefined. */
function headerProblem(fields: SegmentFields): string | undefined {
  if (!isPageSize(fields.pageSize)) return `${fields.pageSize} is not a page size of SQLite`
  if (!isCount(fields.commit, PAGE_NUMBER_MAX)) return 'the number of pages does not fit into 32 bits'
  if (fields.minTxid < 1) return 'transactions are numbered from 1'
  if (fields.minTxid > fields.maxTxid) return 'the last transaction comes before the first'
  if (!isCount(fields.timestampMs)) return 'the timestamp is negative, or beyond 2^53 milliseconds'
  return walProblem(fields) ?? originProblem(fields)
}

/** LTX: without the offset, salts and size of the WAL must be zero. */
function walProblem({ walOffset, walSize, walSalt1, walSalt2 }: SegmentFields): string | undefined {
  if (!isCount(walOffset) || !isCount(walSize)) return 'the place in the WAL is negative, or beyond 2^53'
  if (walOffset === 0 && (walSize !== 0 || walSalt1 !== 0 || walSalt2 !== 0))
    return 'salts or a size of a WAL without its offset'
  return undefined
}

function originProblem(fields: SegmentFields): string | undefined {
  const { epoch, preApply, postApply } = fields
  if (epoch === undefined && preApply === undefined && postApply === undefined) return undefined
  if (epoch === undefined || preApply === undefined || postApply === undefined) {
    return 'an epoch without checksums, or checksums without an epoch'
  }
  if ((preApply & postApply & CHECKSUM_FLAG) === 0n) return 'a rolling checksum without bit 63'
  if (isSnapshot(fields) && preApply !== EMPTY_CHECKSUM) return 'a snapshot starts from an empty database'
  if (fields.commit === 0 && postApply !== EMPTY_CHECKSUM) return 'a checksum for a database without pages'
  return undefined
}

function isCount(value: number, max: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max
}

/** Builds a segment_corrupt error: what is wrong, and at which byte of the file. */
export function segmentCorrupt(what: string, offset: number): MacaroondError {
  return new MacaroondError('segment_corrupt', `corrupt segment: ${what} (at byte ${offset})`, {
    hint: 'the segment is refused as a whole: fetch it again, or restore this file from another copy',
  })
}
