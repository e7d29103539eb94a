/** What SQLite's file format says about page sizes and page numbers, as far as a segment has to know. */

export const PAGE_SIZE_MIN = 512
export const PAGE_SIZE_MAX = 65_536
export const PAGE_NUMBER_MAX = 0xffff_ffff

/** SQLite locks bytes from here on; the page that holds them is never used ("The Lock-Byte Page"). */
const PENDING_BYTE = 0x4000_0000

export function isPageSize(value: number): boolean {
  return value >= PAGE_SIZE_MIN && value <= PAGE_SIZE_MAX && Number.isInteger(Math.log2(value))
}

/** The page that no segment may hold and no checksum counts. */
export function lockPage(pageSize: number): number {
  return PENDING_BYTE / pageSize + 1
}

/** One page of a database, by its number (from 1) and its bytes (exactly one page size). */
export interface DatabasePage {
  readonly pgno: number
  readonly data: Buffer
}
