/** Page sizes and page numbers of SQLite's file format, as far as segments need them. */

export const PAGE_SIZE_MIN = 512
export const PAGE_SIZE_MAX = 65_536
export const PAGE_NUMBER_MAX = 0xffff_ffff

/** Offset of the bytes that SQLite locks. It never uses the page that holds them ("The Lock-Byte Page"). */
const PENDING_BYTE = 0x4000_0000

export function isPageSize(value: number): boolean {
  return value >= PAGE_SIZE_MIN && value <= PAGE_SIZE_MAX && Number.isInteger(Math.log2(value))
}

/** Number of the lock page, which no segment may contain and no checksum covers. */
export function lockPage(pageSize: number): number {
  return PENDING_BYTE / pageSize + 1
}

/** One page of a database, by its number (from 1) and its bytes (exactly one page size). */
export interface DatabasePage {
  readonly pgno: number
  readonly data: Buffer
}
