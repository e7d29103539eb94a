/** A snapshot that is arriving: each chunk is checked and written to a file. It is used only when it is whole and correct. */
import { closeSync, openSync, rmSync } from 'node:fs'
import { MacaroondError } from '../../shared/errors.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { SegmentDecoder } from '../../shared/ltx/decoder.ts'
import type { SegmentHeader } from '../../shared/ltx/header.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import { readAt, writeAt } from '../../shared/files/positional-io.ts'
import type { PageImage } from '../../shared/sqlite/wal-format.ts'

const READ_BYTES = 256 * 1024

export class SnapshotFile {
  readonly #path: string
  readonly #fd: number
  readonly #decoder: SegmentDecoder
  #bytes = 0
  #pages = 0
  readonly checksums: PageChecksums = new PageChecksums(PAGE_BYTES)

  constructor(path: string) {
    this.#path = path
    this.#fd = openSync(path, 'w+', 0o600)
    this.#decoder = new SegmentDecoder((pgno, data) => {
      this.#pages += 1
      this.checksums.set(pgno, data)
    })
  }

  /** Pages that have arrived. */
  get received(): number {
    return this.#pages
  }

  /** Throws segment_corrupt at the first wrong byte that can be noticed. */
  write(chunk: Uint8Array): void {
    this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    writeAt(this.#fd, chunk, 0, chunk.length, this.#bytes)
    this.#bytes += chunk.length
  }

  /** Throws segment_corrupt unless the file is whole and its pages give the checksum in its header. */
  finish(): SegmentHeader {
    const header = this.#decoder.finish()
    if (header.postApply === this.checksums.checksum) return header
    throw new MacaroondError('segment_corrupt', 'the pages of a snapshot do not give its post-apply checksum')
  }

  /** Reads the pages from the file. To be called after `finish`. */
  *pages(): Generator<PageImage> {
    let ready: PageImage[] = []
    const decoder = new SegmentDecoder((pgno, data) => void ready.push({ pgno, data }))
    const chunk = Buffer.alloc(READ_BYTES)
    for (let offset = 0; ;) {
      const length = readAt(this.#fd, chunk, 0, READ_BYTES, offset)
      if (length === 0) break
      decoder.write(chunk.subarray(0, length))
      yield* ready
      ready = []
      offset += length
    }
    decoder.finish()
  }

  /** Closes and deletes the file. */
  discard(): void {
    closeSync(this.#fd)
    rmSync(this.#path, { force: true })
  }
}
