/**
 * Where an archive lies: one small port, the same for a directory and a bucket. Every backend runs one suite of tests.
 *
 * Keys are relative, with `/` between their parts, of `a-z 0-9 - . _` only. Errors: archive_missing (no such directory or
 * bucket), archive_unavailable (try again later), archive_denied (credentials, permissions), disk_full.
 */
import { MacaroondError } from '../errors.ts'
import {
  ARCHIVE_PIECES_AHEAD,
  ARCHIVE_READ_BYTES,
  ARCHIVE_REQUESTS_AT_ONCE,
  BUCKET_REQUESTS_AT_ONCE,
} from '../limits.ts'

export interface StoredObject {
  readonly key: string
  readonly bytes: number
  /** The timestamp it was put with, unix milliseconds; of a bucket the time of the upload, because a list has no other. */
  readonly timestampMs: number
}

/** What is put: bytes, or a source that can be read again from its start when the first attempt fails. */
export type Content = Uint8Array | { readonly bytes: number; readonly pieces: () => AsyncIterable<Uint8Array> }

export interface ByteRange {
  readonly start: number
  readonly length: number
}

export interface ArchiveStorage {
  /** For people: the path or the URL, without credentials. */
  readonly location: string
  /** True where each object costs a request: transactions are then merged before they are put. */
  readonly isBucket: boolean
  /** All objects whose key starts with `prefix`, ascending by key. Empty where nothing has it. */
  readonly list: (prefix: string) => Promise<readonly StoredObject[]>
  /**
   * The object, or a part of it, shorter at its end. Undefined when there is none of that key. `into` is memory that may be
   * used for a part, as long as it at least, instead of new one.
   */
  readonly get: (key: string, range?: ByteRange, into?: Buffer) => Promise<Buffer | undefined>
  /** All of it or nothing, durable when it resolves; takes the place of what had the key. */
  readonly put: (key: string, content: Content, timestampMs: number) => Promise<void>
  /** Atomic: false, and nothing changes, when there is an object of that key already. */
  readonly create: (key: string, bytes: Uint8Array) => Promise<boolean>
  /** No error when there is none. */
  readonly delete: (key: string) => Promise<void>
  /** Deletes what a writer that is gone left half done. For the archive's only writer, before it writes. */
  readonly sweep: () => Promise<void>
}

/**
 * An object in pieces; each is a read of its own, so that a cut connection costs one of them. Once the first one shows that
 * there are more, some are read ahead. **A piece is only there until the next one is asked for**: a few buffers serve them
 * all. `bytes` is what the object should have; where it has more, one piece more than that tells.
 */
export async function* piecesOf(storage: ArchiveStorage, key: string, bytes: number): AsyncGenerator<Buffer> {
  const length = Math.min(ARCHIVE_READ_BYTES, bytes + 1)
  const ahead = storage.isBucket ? ARCHIVE_PIECES_AHEAD : 1
  const rooms: Buffer[] = []
  let asked = 0
  const ask = (): { readonly piece: Promise<Buffer | undefined>; readonly room: Buffer } => {
    const room = rooms.pop() ?? Buffer.allocUnsafeSlow(length)
    const piece = storage.get(key, { start: asked, length }, room)
    asked += length
    // It is awaited in its turn, or not at all; until then its failure is nobody's.
    piece.catch(() => undefined)
    return { piece, room }
  }
  for (const reading = [ask()]; ;) {
    const { piece: read, room } = reading.shift()!
    const piece = await read
    if (piece === undefined) throw objectMissing(storage, key)
    if (piece.length === length) while (reading.length < ahead) reading.push(ask())
    if (piece.length > 0) yield piece
    if (piece.length < length) return
    rooms.push(room)
  }
}

export async function getWhole(storage: ArchiveStorage, key: string): Promise<Buffer> {
  const bytes = await storage.get(key)
  if (bytes === undefined) throw objectMissing(storage, key)
  return bytes
}

export function objectMissing({ location }: ArchiveStorage, key: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${key} is missing in the archive ${location}`, {
    hint: 'put it back from a copy of the archive, or choose a time whose plan does not need it',
  })
}

/** A proxy answered in the store's place. */
export function notWritten({ location }: ArchiveStorage, key: string): MacaroondError {
  return new MacaroondError('archive_unavailable', `${location} says that it has taken ${key}, but it is not there`, {
    hint: 'something between this primary and the store answers in its place: look at proxies',
  })
}

export function requestsAtOnce({ isBucket }: Pick<ArchiveStorage, 'isBucket'>): number {
  return isBucket ? BUCKET_REQUESTS_AT_ONCE : ARCHIVE_REQUESTS_AT_ONCE
}

/** Runs `work` on all items, at most `atOnce` at a time; the results keep the order of the items. Rejects with the first error. */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  return results
}
