/** Sizes and constants of the parts after the header: page frames, the end mark and, after the index, the trailer. */
import { blockBytesMax } from './lz4.ts'

/** Page number (u32) and flags (u16). */
export const PAGE_HEADER_BYTES = 6
export const PAGE_FLAGS_AT = 4
/** Length of the LZ4 block that follows (u32). */
export const BLOCK_LENGTH_BYTES = 4
export const FRAME_PREFIX_BYTES: number = PAGE_HEADER_BYTES + BLOCK_LENGTH_BYTES

/**
 * Flag of a page stored as a length and an LZ4 block. Without it the page is an LZ4 frame, as litestream wrote before 0.5.16.
 */
export const PAGE_FLAG_BLOCK = 0x0001

/** The end mark: a page header of zeros. */
export const END_OF_PAGES: Buffer = Buffer.alloc(PAGE_HEADER_BYTES)

const CHECKSUM_BYTES = 8
export const FILE_CHECKSUM_AT: number = CHECKSUM_BYTES
/** Post-apply checksum (zero, see `FLAG_NO_CHECKSUM`) and file checksum. */
export const TRAILER_BYTES: number = 2 * CHECKSUM_BYTES
/** Bit 63 of the file checksum is always set. */
export const FILE_CHECKSUM_FLAG_HIGH = 0x8000_0000

export function frameBytesMax(pageSize: number): number {
  return FRAME_PREFIX_BYTES + blockBytesMax(pageSize)
}
