/** The blocks inside of segments, and the names that segments have. */
import { parseManifestKey, manifestKey, parseSegmentKey, segmentKey } from '../../../shared/archive/layout.ts'
import { txid } from '../../../shared/ids.ts'
import { blockBytesMax, compressBlock, decompressBlock } from '../../../shared/ltx/lz4.ts'
import { requireBytes, requireSame, type Target } from '../target.ts'
import { page } from './ltx.ts'

/** Fills the room behind a block, to see that nothing is written there. */
const GUARD = 0xa5
const GUARD_BYTES = 64
const UNPACKED_BYTES_MAX = 2 ** 16 - 1

/** Size of what it unpacks to, then the block. */
function runBlock(input: Buffer): string {
  const size = input.length < 2 ? 0 : input.readUInt16BE(0)
  const room = Buffer.alloc(size + 2 * GUARD_BYTES, GUARD)
  const out = room.subarray(GUARD_BYTES, GUARD_BYTES + size)
  const good = decompressBlock(input.subarray(2), out)
  const [before, after] = [room.subarray(0, GUARD_BYTES), room.subarray(GUARD_BYTES + size)]
  if (!before.every((byte) => byte === GUARD) || !after.every((byte) => byte === GUARD))
    throw new Error('it wrote outside')
  if (!good) return 'refused'
  requireBytes(unpacked(packed(out).subarray(2), size), out, 'what is packed is not unpacked the same')
  return 'unpacked'
}

function packed(bytes: Buffer): Buffer {
  const out = Buffer.alloc(2 + blockBytesMax(bytes.length))
  out.writeUInt16BE(bytes.length, 0)
  return out.subarray(0, compressBlock(bytes, out, 2))
}

function unpacked(block: Buffer, size: number): Buffer {
  const out = Buffer.alloc(size)
  if (!decompressBlock(block, out)) throw new Error('what was packed is refused')
  return out
}

function runKey(input: Buffer): string {
  const key = input.toString('utf8')
  const segment = parseSegmentKey(key)
  if (segment !== undefined) {
    requireSame(segmentKey(segment.level, segment), key, 'a second name of a segment')
    return 'of a segment'
  }
  const seq = parseManifestKey(key)
  if (seq === undefined) return 'of none'
  requireSame(manifestKey(seq), key, 'a second name of an entry')
  return 'of an entry'
}

export const BLOCK_TARGETS: readonly Target[] = [
  {
    name: 'block',
    seeds: () =>
      [page(4), page(8), page(2, 4_096), { data: Buffer.alloc(UNPACKED_BYTES_MAX) }].map(({ data }) => packed(data)),
    run: runBlock,
    codes: [],
    reach: ['unpacked', 'refused'],
  },
  {
    name: 'key',
    seeds: () =>
      [segmentKey(0, { minTxid: txid(1), maxTxid: txid(0xabc) }), manifestKey(0xabc)].map((key) => Buffer.from(key)),
    run: runKey,
    codes: [],
    reach: ['of a segment', 'of an entry', 'of none'],
  },
]
