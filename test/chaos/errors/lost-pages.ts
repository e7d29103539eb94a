/**
 * What a failed sync may have lost. The kernel reports the error once, and may call the pages clean that it could not write: a
 * later sync of the same file succeeds without them. They stay readable until the machine goes down. From the trace it is
 * known which bytes of a file were written since its last sync that succeeded, and which of them were never written again.
 */
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs'
import { SYNCS, WRITES, type DiskCall } from './disk-strace.ts'

interface Range {
  readonly start: number
  readonly end: number
  readonly at: number
}

/** Of every file of a node. */
export class LostPages {
  readonly #files = new Map<string, FilePages>()

  /**
   * In the order of the trace. Lives may follow each other: what one has lost another one can write again. `before`: the files
   * as the first life found them, all of which is taken to be on the disk.
   */
  take(calls: readonly DiskCall[], before: ReadonlyMap<string, Buffer>): void {
    for (const call of calls) {
      const { syscall, path, text, result } = call
      if (result === 0 && (syscall === 'unlink' || syscall === 'rename')) this.#files.delete(path)
      // What gets the name of another file was synced before it did.
      if (result === 0 && syscall === 'rename') this.#files.delete(/"([^"]*)"\) += 0$/.exec(text)?.[1] ?? '')
      if (syscall === 'openat' && text.includes('O_TRUNC')) this.#files.set(path, new FilePages(NOTHING))
      const pages = this.#files.get(path) ?? new FilePages(before.get(path) ?? NOTHING)
      this.#files.set(path, pages)
      pages.take(call)
    }
  }

  /** Files of which a sync succeeded although bytes were missing whose sync had failed before. */
  get betrayed(): readonly string[] {
    return [...this.#files].filter(([, pages]) => pages.betrayed).map(([path]) => path)
  }

  /** The machine goes down: the files as they come up again. Returns how many bytes are gone. */
  powerCut(): number {
    return [...this.#files].reduce((sum, [path, pages]) => sum + pages.powerCut(path), 0)
  }
}

const NOTHING: Buffer = Buffer.alloc(0)

class FilePages {
  readonly #before: Buffer
  #size: number
  /** Written and not synced; `at` says when. */
  #dirty: Range[] = []
  /** Their sync failed, and nobody has written them again. */
  #lost: Range[] = []
  #now = 0
  betrayed = false
  readonly #syncing = new Map<string, number>()

  constructor(before: Buffer) {
    this.#before = Buffer.from(before)
    this.#size = before.length
  }

  take(call: DiskCall): void {
    this.#now += 1
    if (SYNCS.some((name) => name === call.syscall)) this.#sync(call)
    else if (WRITES.some((name) => name === call.syscall)) this.#write(call)
    else if (call.syscall === 'ftruncate' && call.result === 0) this.#truncate(call)
  }

  /** What is only dirty may be gone as well. */
  powerCut(path: string): number {
    if (!existsSync(path) || this.#lost.length + this.#dirty.length === 0) return 0
    const { size } = statSync(path)
    const fd = openSync(path, 'r+')
    let bytes = 0
    for (const { start, end } of [...this.#lost, ...this.#dirty]) {
      const length = Math.min(end, size) - start
      if (length > 0) bytes += writeSync(fd, this.#onDisk(start, length), 0, length, start)
    }
    closeSync(fd)
    return bytes
  }

  /** As it was when the first life began: the same bytes once more are not lost. Zeros where something else was synced since. */
  #onDisk(start: number, length: number): Buffer {
    const bytes = Buffer.alloc(length)
    this.#before.subarray(start, start + length).copy(bytes)
    return bytes
  }

  #write({ syscall, text, result }: DiskCall): void {
    if (result === undefined || result <= 0) return
    const offset = syscall.startsWith('p') ? Number(/, (\d+)\) += \d+/.exec(text)?.[1]) : this.#size
    const range = { start: offset, end: offset + result, at: this.#now }
    this.#lost = this.#lost.flatMap((one) => without(one, range))
    this.#dirty.push(range)
    this.#size = Math.max(this.#size, range.end)
  }

  /** Covers what was written before it began. */
  #sync({ thread, phase, result }: DiskCall): void {
    if (phase === 'begin') return void this.#syncing.set(thread, this.#now)
    const began = phase === 'end' ? (this.#syncing.get(thread) ?? this.#now) : this.#now
    const covered = this.#dirty.filter(({ at }) => at < began)
    this.#dirty = this.#dirty.filter(({ at }) => at >= began)
    if (result !== 0) return void this.#lost.push(...covered)
    if (this.#lost.length > 0) this.betrayed = true
    // What stood there before does not come back.
    for (const { start, end } of covered) this.#before.subarray(start, end).fill(0)
  }

  #truncate({ text }: DiskCall): void {
    this.#size = Number(/, (\d+)\)/.exec(text)?.[1])
    const cut = { start: this.#size, end: Infinity, at: 0 }
    this.#lost = this.#lost.flatMap((one) => without(one, cut))
    this.#dirty = this.#dirty.flatMap((one) => without(one, cut))
  }
}

function without(one: Range, other: Range): readonly Range[] {
  const before = { ...one, end: Math.min(one.end, other.start) }
  const after = { ...one, start: Math.max(one.start, other.end) }
  return [before, after].filter(({ start, end }) => end > start)
}
