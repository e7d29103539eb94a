/**
 * The interface of an archive's store, the same for a directory and a bucket. One suite of tests runs against every backend.
 *
 * Keys are relative paths with `/` between their parts, which consist of `a-z 0-9 - . _`. Errors: archive_missing (no such
 * directory or bucket), archive_unavailable (try again later), archive_denied (credentials, permissions), disk_full.
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
  /** The timestamp given to `put`, unix milliseconds. In a bucket: the time of the upload, because its lists have only that. */
  readonly timestampMs: number
}

/** Content to store: bytes, or a source whose `pieces` starts over at each call, so that an attempt can be repeated. */
export type Content = Uint8Array | { readonly bytes: number; readonly pieces: () => AsyncIterable<Uint8Array> }

export interface ByteRange {
  readonly start: number
  readonly length: number
}

export interface ArchiveStorage {
  /** The path or the URL, without credentials, for messages. */
  readonly location: string
  /** True if each object costs a request. Transactions are then merged before they are stored. */
  readonly isBucket: boolean
  /** Lists all objects whose key starts with `prefix`, ascending by key. */
  readonly list: (prefix: string) => Promise<readonly StoredObject[]>
  /**
   * Reads an object, or a range of it, which is shorter at the object's end. Undefined if there is no such object. `into` is a
   * buffer, at least as long as the range, that may be used for the result.
   */
  readonly get: (key: string, range?: ByteRange, into?: Buffer) => Promise<Buffer | undefined>
  /** Stores an object atomically; it is durable when the promise resolves. Replaces an object of that key. */
  readonly put: (key: string, content: Content, timestampMs: number) => Promise<void>
  /**
   * Stores an object only if the key is free, atomically. Resolves with false, and changes nothing, if the key is taken.
   * `timestampMs` is that of a file, as in `put`; with it, the store is also asked whether it has the object.
   */
  readonly create: (key: string, bytes: Uint8Array, timestampMs?: number) => Promise<boolean>
  /** Deletes an object; no error if there is none. */
  readonly delete: (key: string) => Promise<void>
  /** Deletes incomplete objects of an earlier writer. The archive's only writer calls it before it writes. */
  readonly sweep: () => Promise<void>
}

/**
 * Reads an object in pieces. Each piece is a separate read, so that a lost connection costs one piece. After a full piece,
 * the next ones are read ahead. **A piece is valid only until the next one is requested**, because all share a few buffers.
 * `bytes` is the expected size. A longer object yields more, so the caller must compare.
 */
export async function* piecesOf(storage: ArchiveStorage, key: string, bytes: number): AsyncGenerator<Buffer> {
  const length = Math.min(ARCHIVE_READ_BYTES, bytes + 1)
  const ahead = storage.isBucket ? ARCHIVE_PIECES_AHEAD : 1
  const buffers: Buffer[] = []
  let start = 0
  const readNext = (): { readonly piece: Promise<Buffer | undefined>; readonly buffer: Buffer } => {
    const buffer = buffers.pop() ?? Buffer.allocUnsafeSlow(length)
    const piece = storage.get(key, { start, length }, buffer)
    start += length
    // Avoids an unhandled rejection: the promise is awaited later, in its turn, or not at all.
    piece.catch(() => undefined)
    return { piece, buffer }
  }
  for (const reading = [readNext()]; ;) {
    const { piece: read, buffer } = reading.shift()!
    const piece = await read
    if (piece === undefined) throw objectMissing(storage, key)
    if (piece.length === length) while (reading.length < ahead) reading.push(readNext())
    if (piece.length > 0) yield piece
    if (piece.length < length) return
    buffers.push(buffer)
  }
}

export async function getWhole(storage: ArchiveStorage, key: string): Promise<Buffer> {
  const bytes = await storage.get(key)
  if (bytes === undefined) throw objectMissing(storage, key)
  return bytes
}

export function objectMissing({ location }: ArchiveStorage, key: string): MacaroondError {
  return new MacaroondError('archive_damaged', `${key} is missing in the archive ${location}`, {
    hint: 'put it back from a copy of the archive, or restore to a time that does not need it',
  })
}

/** The error for an object that is missing after an answer to its write: a proxy must have answered instead of the store. */
export function notWritten({ location }: ArchiveStorage, key: string): MacaroondError {
  return new MacaroondError(
    'archive_unavailable',
    `${location} answered the write of ${key}, but the object is missing`,
    {
      hint: 'a proxy between this primary and the store may answer in its place: check the proxies',
    },
  )
}

export function requestsAtOnce({ isBucket }: Pick<ArchiveStorage, 'isBucket'>): number {
  return isBucket ? BUCKET_REQUESTS_AT_ONCE : ARCHIVE_REQUESTS_AT_ONCE
}

/**
 * Runs `work` on all items, at most `atOnce` at a time. Results are in the order of the items. Rejects with the first error.
 */
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
