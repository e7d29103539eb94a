/**
 * An archive in a bucket of any S3-compatible store, with litestream's layout and metadata. A request whose answer was lost is
 * sent again, which is safe because every write is idempotent.
 */
import { MacaroondError } from '../../errors.ts'
import {
  ARCHIVE_READ_BYTES,
  BUCKET_OBJECTS_MAX,
  MANIFEST_DOCUMENT_BYTES_MAX,
  S3_PART_BYTES_MIN,
  S3_PARTS_AT_ONCE,
} from '../../limits.ts'
import { type ArchiveStorage, type ByteRange, type Content, inParallel, type StoredObject } from '../storage.ts'
import { S3Client, type S3ClientOptions } from './client.ts'
import { abortUploads, requireStored, sizeOfContent, uploadParts, wholeOf } from './parts.ts'
import { elements, textOf } from './xml.ts'

interface Piece {
  readonly bytes: Buffer
  /** Size of the whole object. */
  readonly total: number
  readonly etag: string | undefined
}

export class BucketStorage implements ArchiveStorage {
  readonly location: string
  readonly isBucket = true
  readonly #client: S3Client
  readonly #folder: string

  /** Does not contact the store. Throws archive_denied if there are no credentials. */
  constructor(options: S3ClientOptions) {
    this.location = options.settings.location
    this.#client = new S3Client(options)
    this.#folder = options.settings.prefix
  }

  async list(prefix: string): Promise<readonly StoredObject[]> {
    const found: StoredObject[] = []
    let from: string | undefined
    for (;;) {
      const page = await this.#page(prefix, from)
      for (const content of elements(page, 'Contents')) found.push(...this.#objectOf(content, prefix))
      if (textOf(page, 'IsTruncated') !== 'true') return found.toSorted((a, b) => (a.key < b.key ? -1 : 1))
      const next = textOf(page, 'NextContinuationToken')
      if (next === undefined || next === from || found.length > BUCKET_OBJECTS_MAX)
        throw this.#violation('its list of objects never ends')
      from = next
    }
  }

  async get(key: string, range?: ByteRange): Promise<Buffer | undefined> {
    if (range !== undefined) return (await this.#read(key, range))?.bytes
    const first = await this.#read(key, { start: 0, length: ARCHIVE_READ_BYTES })
    if (first === undefined || first.bytes.length === first.total) return first?.bytes
    if (first.total > MANIFEST_DOCUMENT_BYTES_MAX)
      throw new MacaroondError('archive_damaged', `${key} has ${first.total} bytes, more than it may have`)
    const ranges: ByteRange[] = []
    for (let start = first.bytes.length; start < first.total; start += ARCHIVE_READ_BYTES)
      ranges.push({ start, length: Math.min(ARCHIVE_READ_BYTES, first.total - start) })
    const rest = await inParallel(ranges, S3_PARTS_AT_ONCE, async (wanted) => {
      const piece = await this.#read(key, wanted, first.etag)
      if (piece?.bytes.length !== wanted.length) throw this.#violation(`${key} changed while it was read`)
      return piece.bytes
    })
    return Buffer.concat([first.bytes, ...rest], first.total)
  }

  async put(key: string, content: Content, timestampMs: number): Promise<void> {
    const name = objectName(this.#folder, key)
    const headers = timestampHeader(timestampMs)
    if (sizeOfContent(content) > S3_PART_BYTES_MIN) return uploadParts(this.#client, { name, content, headers })
    const doing = `writing ${key}`
    const answer = await this.#client.send({ method: 'PUT', name, headers, body: await wholeOf(content, doing), doing })
    await requireStored(this.#client, { name, content, headers }, answer)
  }

  async create(key: string, bytes: Uint8Array, timestampMs?: number): Promise<boolean> {
    const name = objectName(this.#folder, key)
    const headers = timestampMs === undefined ? {} : timestampHeader(timestampMs)
    const answer = await this.#client.send({
      method: 'PUT',
      name,
      headers: { ...headers, 'if-none-match': '*' },
      body: Buffer.from(bytes),
      expected: ['PreconditionFailed', '412', 'NotImplemented', '501'],
      doing: `creating ${key}`,
    })
    const { code, repeated } = answer
    if (code === 'NotImplemented' || code === '501') throw this.#withoutConditions()
    // The object may be ours, from an attempt whose answer was lost.
    if (code !== '') return repeated && (await this.get(key))?.equals(bytes) === true
    if (timestampMs !== undefined) await requireStored(this.#client, { name, content: bytes, headers }, answer)
    return true
  }

  async delete(key: string): Promise<void> {
    const name = objectName(this.#folder, key)
    await this.#client.send({ method: 'DELETE', name, expected: ['NoSuchKey', '404'], doing: `deleting ${key}` })
  }

  /** Aborts the unfinished multipart uploads of an earlier writer. */
  async sweep(): Promise<void> {
    await abortUploads(this.#client, this.#folder)
  }

  async #page(prefix: string, from: string | undefined): Promise<string> {
    const query = { 'list-type': '2', prefix: objectName(this.#folder, prefix) }
    const rest = from === undefined ? {} : { 'continuation-token': from }
    const doing = `listing ${prefix}`
    const { body } = await this.#client.send({ method: 'GET', query: { ...query, ...rest }, doing })
    const [page] = elements(body.toString('utf8'), 'ListBucketResult')
    if (page === undefined || !/^(true|false)$/.test(textOf(page, 'IsTruncated') ?? ''))
      throw this.#violation(`it did not answer with a list while ${doing}`)
    const listed = textOf(page, 'Prefix')
    if (listed !== undefined && listed !== query.prefix) throw this.#violation(`it lists something else while ${doing}`)
    return page
  }

  #objectOf(content: string, prefix: string): readonly StoredObject[] {
    const key = keyOf(this.#folder, textOf(content, 'Key') ?? '')
    if (key === undefined || !key.startsWith(prefix)) return []
    const size = textOf(content, 'Size') ?? ''
    const bytes = /^\d{1,15}$/.test(size) ? Number(size) : Number.NaN
    const timestampMs = Date.parse(textOf(content, 'LastModified') ?? '')
    if (!Number.isSafeInteger(bytes) || !Number.isFinite(timestampMs))
      throw this.#violation(`its list has no size or no time for ${key}`)
    return [{ key, bytes, timestampMs }]
  }

  /** Reads a range of an object. Undefined if there is no such object; empty beyond its end. */
  async #read(key: string, { start, length }: ByteRange, etag?: string): Promise<Piece | undefined> {
    const { code, status, body, headers } = await this.#client.send({
      method: 'GET',
      name: objectName(this.#folder, key),
      headers: { range: `bytes=${start}-${start + length - 1}`, ...(etag === undefined ? {} : { 'if-match': etag }) },
      bytesMax: length,
      expected: ['NoSuchKey', '404', 'InvalidRange', '416', 'PreconditionFailed', '412'],
      doing: `reading ${key}`,
    })
    if (code === 'NoSuchKey' || code === '404') return undefined
    if (code === 'InvalidRange' || code === '416') return { bytes: Buffer.alloc(0), total: start, etag: undefined }
    if (code !== '') throw this.#violation(`${key} changed while it was read`)
    if (status === 200 && start > 0) throw this.#violation('it ignores the range of a read')
    const total = status === 200 ? body.length : Number(/\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1])
    if (body.length !== Math.min(length, total - start))
      throw this.#violation(`its answer for ${key} does not have the requested length`)
    return { bytes: body, total, etag: headers.get('etag') ?? undefined }
  }

  #withoutConditions(): MacaroondError {
    const { endpoint } = this.#client.settings
    return new MacaroondError('platform_unsupported', `${endpoint} cannot create an object only if it is absent`, {
      hint: 'two primaries could lead: use a store with conditional writes (If-None-Match), or a directory',
    })
  }

  #violation(what: string): MacaroondError {
    const { endpoint, bucket } = this.#client.settings
    return new MacaroondError('archive_unavailable', `${endpoint}, bucket ${bucket}: ${what}`, {
      hint: 'try again; if it persists, this store does not implement S3 correctly',
    })
  }
}

function timestampHeader(timestampMs: number): Readonly<Record<string, string>> {
  return { 'x-amz-meta-litestream-timestamp': new Date(timestampMs).toISOString() }
}

const LEVEL = /^ltx\/(\d)(?=\/|$)/
const LEVEL_PADDING = '000'

/**
 * Name in the bucket for a key, or for a prefix of keys. litestream names levels differently there: our key `ltx/0/<file>` is
 * `<folder>/0000/<file>`. All other keys stay the same, below the same folder.
 */
export function objectName(folder: string, key: string): string {
  if (key === 'ltx/') return `${folder}/${LEVEL_PADDING}`
  return `${folder}/${key.replace(LEVEL, `${LEVEL_PADDING}$1`)}`
}

/** Key for a name in the bucket. Undefined if the name is not below the folder. */
export function keyOf(folder: string, name: string): string | undefined {
  if (!name.startsWith(`${folder}/`)) return undefined
  return name.slice(folder.length + 1).replace(/^000(\d)\//, 'ltx/$1/')
}
