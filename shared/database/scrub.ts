/** Reads a whole database and computes its checksum anew, page by page, giving way to everything else in between. */
import { turn, type Timers } from '../clock.ts'
import type { Checksum } from '../ids.ts'
import { PAGE_BYTES } from '../limits.ts'
import { PageChecksums } from '../ltx/rolling-checksum.ts'
import type { PageSource } from '../sqlite/page-source.ts'

const PAGES_A_TURN = 64

/** Releases the view when done; undefined when the signal ended it early. */
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
