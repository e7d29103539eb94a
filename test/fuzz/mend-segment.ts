/** Gives changed bytes of a segment an index and a file checksum that fit, as far as they can still be read. */
import { Crc64 } from '../../shared/ltx/crc64.ts'
import {
  END_OF_PAGES,
  FILE_CHECKSUM_FLAG_HIGH,
  FRAME_PREFIX_BYTES,
  PAGE_FLAGS_AT,
  PAGE_HEADER_BYTES,
  TRAILER_BYTES,
} from '../../shared/ltx/frame.ts'
import { HEADER_BYTES } from '../../shared/ltx/header.ts'
import { decompressBlock } from '../../shared/ltx/lz4.ts'
import { PageIndex } from '../../shared/ltx/page-index.ts'

const PAGE_SIZE_AT = 8
const PAGE_BYTES_MAX = 65_536

export function mendSegment(input: Buffer): Buffer {
  if (input.length < HEADER_BYTES) return input
  const page = Buffer.alloc(Math.min(input.readUInt32BE(PAGE_SIZE_AT), PAGE_BYTES_MAX))
  const crc = new Crc64().update(input, 0, HEADER_BYTES)
  const index = new PageIndex()
  let at = HEADER_BYTES
  for (;;) {
    const block = at + FRAME_PREFIX_BYTES
    if (block > input.length || input.readUInt16BE(at + PAGE_FLAGS_AT) === 0) break
    const end = block + input.readUInt32BE(at + PAGE_HEADER_BYTES)
    if (end > input.length || !decompressBlock(input.subarray(block, end), page)) break
    crc.update(input, at, block).update(page)
    index.add(input.readUInt32BE(at), at, end - at)
    at = end
  }
  const tail = Buffer.concat([END_OF_PAGES, index.finish(), Buffer.alloc(TRAILER_BYTES)])
  const checksum = tail.length - TRAILER_BYTES / 2
  crc.update(tail, 0, checksum)
  tail.writeUInt32BE((crc.hi | FILE_CHECKSUM_FLAG_HIGH) >>> 0, checksum)
  tail.writeUInt32BE(crc.lo, checksum + 4)
  return Buffer.concat([input.subarray(0, at), tail])
}
