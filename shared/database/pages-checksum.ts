/** Computes the checksum of a whole database from its pages: in one go, or beside other work. */
import { turn, type Timers } from '../clock.ts'
import type { Checksum } from '../ids.ts'
import { PAGE_BYTES } from '../limits.ts'
import { PageChecksums } from '../ltx/rolling-checksum.ts'
import type { PageSource } from '../sqlite/page-source.ts'

const PAGES_A_TURN = 64

/** Releases the view at the end. */
export function pageChecksumsOf(view: PageSource): PageChecksums {
  const checksums = new PageChecksums(PAGE_BYTES)
  const page = Buffer.alloc(PAGE_BYTES)
  try {
    for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
      view.readPage(pgno, page)
      checksums.set(pgno, page)
    }
  } finally {
    view.release()
  }
  return checksums
}

/** Yields to other work every PAGES_A_TURN pages. Releases the view at the end. Returns undefined if the signal aborted it. */
export async function checksumOf(view: PageSource, timers: Timers, signal: AbortSignal): Promise<Checksum | undefined> {
  const checksums = new PageChecksums(PAGE_BYTES)
  const page = Buffer.alloc(PAGE_BYTES)
  try {
    for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
      view.readPage(pgno, page)
      checksums.set(pgno, page)
      if (pgno % PAGES_A_TURN !== 0) continue
      await turn(timers)
      if (signal.aborted) return undefined
    }
  } finally {
    view.release()
  }
  return checksums.checksum
}
