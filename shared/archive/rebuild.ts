/**
 * Makes a database file out of the files of a plan: the whole one first, as it streams in, then the others, merged in
 * memory as far as they fit, so that each page is written about once. The file's checksum comes out with it.
 */
import { closeSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { MacaroondError } from '../errors.ts'
import type { Checksum } from '../ids.ts'
import { MERGE_BYTES_MAX } from '../limits.ts'
import { lockPage } from '../ltx/database-pages.ts'
import type { Segment } from '../ltx/decoder.ts'
import type { SegmentHeader } from '../ltx/header.ts'
import { PageChecksums } from '../ltx/rolling-checksum.ts'
import { writeAt } from '../sqlite/positional-io.ts'
import { storageError } from '../sqlite/storage-errors.ts'
import type { ArchivedFile } from './layout.ts'
import { damaged, readSegmentFile, streamSegmentFile } from './read-file.ts'
import { type ArchiveStorage, requestsAtOnce } from './storage.ts'

export interface RebuildOptions {
  readonly storage: ArchiveStorage
  /** A whole database first, the others after it without a gap. */
  readonly files: readonly ArchivedFile[]
  /** Must not exist. When this rejects, what was written so far is the caller’s to delete. */
  readonly path: string
  readonly onBytes?: (bytes: number) => void
}

export interface Rebuilt {
  readonly checksum: Checksum
  readonly pages: number
  /** Of the last file. */
  readonly header: SegmentHeader
}

/** Throws archive_damaged, disk_full, and what the storage throws. */
export async function rebuildDatabase({ storage, files, path, onBytes }: RebuildOptions): Promise<Rebuilt> {
  const [whole, ...rest] = files
  if (whole === undefined) throw new MacaroondError('restore_target', 'there is nothing to restore from')
  const target = new Target(path)
  try {
    const onPage = (pgno: number, data: Buffer, header: SegmentHeader): void => target.writeWhole(pgno, data, header)
    target.took(await streamSegmentFile(storage, whole, { onPage, onBytes }))
    for await (const { segment, file } of inOrder(storage, rest)) {
      target.merge(segment, file)
      onBytes?.(file.bytes)
    }
    return target.finish()
  } finally {
    target.close()
  }
}

/** Reads ahead, a few files at a time. */
async function* inOrder(
  storage: ArchiveStorage,
  files: readonly ArchivedFile[],
): AsyncGenerator<{ readonly segment: Segment; readonly file: ArchivedFile }> {
  const reading: Promise<Segment>[] = []
  const atOnce = requestsAtOnce(storage)
  for (const [index, file] of files.entries()) {
    while (reading.length < Math.min(files.length - index, atOnce)) {
      const ahead = readSegmentFile(storage, files[index + reading.length]!)
      // It is awaited in its turn; until then its failure is nobody's.
      ahead.catch(() => undefined)
      reading.push(ahead)
    }
    yield { segment: await reading.shift()!, file }
  }
}

class Target {
  readonly #fd: number
  readonly #waiting = new Map<number, Buffer>()
  #checksums: PageChecksums | undefined
  #header: SegmentHeader | undefined

  constructor(path: string) {
    try {
      this.#fd = openSync(path, 'wx', 0o600)
    } catch (error) {
      throw storageError(error, `creating ${path}`)
    }
  }

  writeWhole(pgno: number, data: Buffer, { pageSize }: SegmentHeader): void {
    this.#checksums ??= new PageChecksums(pageSize)
    this.#checksums.set(pgno, data)
    writeAt(this.#fd, data, 0, pageSize, (pgno - 1) * pageSize)
  }

  took(header: SegmentHeader): void {
    this.#header = header
  }

  merge({ header, pages }: Segment, file: ArchivedFile): void {
    const before = this.#header
    if (before === undefined || header.pageSize !== before.pageSize)
      throw damaged(file, 'its pages are of another size')
    for (const { pgno, data } of pages) this.#waiting.set(pgno, data)
    if (header.commit < before.commit)
      for (const pgno of this.#waiting.keys()) if (pgno > header.commit) this.#waiting.delete(pgno)
    this.#header = header
    if (this.#waiting.size * header.pageSize > MERGE_BYTES_MAX) this.#flush()
  }

  finish(): Rebuilt {
    this.#flush()
    const [header, checksums] = [this.#header, this.#checksums]
    if (header === undefined || checksums === undefined)
      throw new MacaroondError('archive_damaged', 'the database is empty')
    try {
      ftruncateSync(this.#fd, header.commit * header.pageSize)
      fsyncSync(this.#fd)
    } catch (error) {
      throw storageError(error, 'writing the restored database')
    }
    return { checksum: checksums.checksum, pages: header.commit, header }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #flush(): void {
    const [header, checksums] = [this.#header, this.#checksums]
    if (header === undefined || checksums === undefined) return
    const lock = lockPage(header.pageSize)
    const pages = [...this.#waiting]
      .map(([pgno, data]) => ({ pgno, data }))
      .filter(({ pgno }) => pgno !== lock)
      .toSorted((a, b) => a.pgno - b.pgno)
    checksums.apply(checksums.preview(pages, header.commit))
    for (const { pgno, data } of pages) writeAt(this.#fd, data, 0, data.length, (pgno - 1) * header.pageSize)
    this.#waiting.clear()
  }
}
