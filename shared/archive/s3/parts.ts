/** Uploads content that is too large for one request, in parts. Each part is checked and retried by itself. */
import { MacaroondError } from '../../errors.ts'
import { S3_PART_BYTES_MIN, S3_PARTS_AT_ONCE, S3_PARTS_MAX } from '../../limits.ts'
import { storageError } from '../../files/storage-errors.ts'
import type { Content } from '../storage.ts'
import type { S3Answer, S3Client } from './client.ts'
import { elements, escapeXml, textOf } from './xml.ts'

export interface Upload {
  /** Name in the bucket. */
  readonly name: string
  readonly content: Content
  readonly headers: Readonly<Record<string, string>>
}

/** The object appears with the last request, after all parts. After an error there is no object. */
export async function uploadParts(client: S3Client, upload: Upload): Promise<void> {
  const { name, headers } = upload
  const doing = `writing ${name}`
  const begun = await client.send({ method: 'POST', name, query: { uploads: '' }, headers, doing })
  const uploadId = textOf(begun.body.toString('utf8'), 'UploadId')
  if (uploadId === undefined)
    throw new MacaroondError('archive_unavailable', `the store did not start an upload while ${doing}`)
  try {
    await complete(client, upload, uploadId, await sendParts(client, upload, uploadId))
  } catch (error) {
    // The store keeps and bills parts of an unfinished upload. If the abort fails too, the next start sweeps them.
    await abortUpload(client, name, uploadId).catch(() => undefined)
    throw storageError(error, doing)
  }
}

/**
 * Sends a few parts at a time. Resolves with the tags of all parts. Rejects with the first error after all requests have ended.
 */
async function sendParts(client: S3Client, { name, content }: Upload, uploadId: string): Promise<readonly string[]> {
  const tags: string[] = []
  const parts = partsOf(content)
  let failed = false
  const send = async ({ number, body }: Part): Promise<void> => {
    const query = { partNumber: String(number), uploadId }
    const { headers } = await client.send({ method: 'PUT', name, query, body, doing: `writing ${name}` })
    tags[number - 1] = requireTag(headers, name)
  }
  const work = async (): Promise<void> => {
    try {
      for (let part = await parts.next(); part.done !== true && !failed; part = await parts.next())
        await send(part.value)
    } catch (error) {
      failed = true
      throw error
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: S3_PARTS_AT_ONCE }, work))
  const failure = ended.find((result) => result.status === 'rejected')
  await parts.return()
  if (failure !== undefined) throw failure.reason
  return tags
}

/**
 * Completes the upload. If the answer of an attempt was lost, a retry may find no upload any more, but the finished object.
 */
async function complete(
  client: S3Client,
  { name, content }: Upload,
  uploadId: string,
  tags: readonly string[],
): Promise<void> {
  const parts = tags.map(
    (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`,
  )
  const body = Buffer.from(
    `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join('')}</CompleteMultipartUpload>`,
  )
  const doing = `writing ${name}`
  const expected = ['NoSuchUpload']
  const { code, repeated } = await client.send({ method: 'POST', name, query: { uploadId }, body, expected, doing })
  const isThere = (await sizeOf(client, name)) === sizeOfContent(content)
  if (isThere && (code === '' || repeated)) return
  if (code === '') throw notStored(name)
  throw new MacaroondError('archive_unavailable', `another program ended the upload while ${doing}`, {
    hint: 'find out if another program writes to this folder, or if a rule of the bucket aborts uploads early',
  })
}

/**
 * Checks that the store has the object, because a proxy may have answered instead. The tag must exist but is not compared,
 * because it is not a checksum if the store encrypts.
 */
export async function requireStored(client: S3Client, { name, content }: Upload, { headers }: S3Answer): Promise<void> {
  requireTag(headers, name)
  if ((await sizeOf(client, name)) !== sizeOfContent(content)) throw notStored(name)
}

function requireTag(headers: Headers, name: string): string {
  const tag = headers.get('etag') ?? ''
  if (tag === '') throw notStored(name)
  return tag
}

function notStored(name: string): MacaroondError {
  return new MacaroondError(
    'archive_unavailable',
    `the store acknowledged ${name}, but the object is missing or has another size`,
    {
      hint: 'a proxy between this primary and the store may answer in its place: check the proxies',
    },
  )
}

async function sizeOf(client: S3Client, name: string): Promise<number | undefined> {
  const headers = { range: 'bytes=0-0' }
  const answer = await client.send({
    method: 'GET',
    name,
    headers,
    expected: ['NoSuchKey', '404'],
    doing: `reading ${name}`,
  })
  const total = /\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

export function sizeOfContent(content: Content): number {
  return content instanceof Uint8Array ? content.length : content.bytes
}

interface Part {
  /** From 1. */
  readonly number: number
  readonly body: Buffer
}

/** Cuts content into parts of equal size, except the last. Throws if the total differs from the announced size. */
async function* partsOf(content: Content): AsyncGenerator<Part, void> {
  const size = sizeOfContent(content)
  const partBytes = Math.max(S3_PART_BYTES_MIN, Math.ceil(size / S3_PARTS_MAX))
  let held: Uint8Array[] = []
  let heldBytes = 0
  let total = 0
  let number = 1
  for await (const piece of content instanceof Uint8Array ? [content] : content.pieces()) {
    total += piece.length
    for (let at = 0; at < piece.length;) {
      const taken = piece.subarray(at, at + partBytes - heldBytes)
      held.push(taken)
      heldBytes += taken.length
      at += taken.length
      if (heldBytes < partBytes) continue
      yield { number, body: Buffer.concat(held, heldBytes) }
      number += 1
      held = []
      heldBytes = 0
    }
  }
  if (heldBytes > 0) yield { number, body: Buffer.concat(held, heldBytes) }
  if (total !== size) throw new Error(`the content has ${total} bytes, but ${size} were announced`)
}

/** Reads small content into memory. `doing` completes "… while …" in the error if the source fails. */
export async function wholeOf(content: Content, doing: string): Promise<Buffer> {
  try {
    const parts: Buffer[] = []
    for await (const { body } of partsOf(content)) parts.push(body)
    return Buffer.concat(parts)
  } catch (error) {
    throw storageError(error, doing)
  }
}

export async function abortUpload(client: S3Client, name: string, uploadId: string): Promise<void> {
  const expected = ['NoSuchUpload', '404']
  await client.send({ method: 'DELETE', name, query: { uploadId }, expected, doing: `aborting the upload of ${name}` })
}

/** Aborts all unfinished uploads below a folder. */
export async function abortUploads(client: S3Client, folder: string): Promise<void> {
  let from: Readonly<Record<string, string>> = {}
  for (;;) {
    const query = { uploads: '', prefix: `${folder}/`, ...from }
    const { body } = await client.send({ method: 'GET', query, doing: 'listing uploads' })
    const xml = body.toString('utf8')
    for (const upload of elements(xml, 'Upload')) {
      const [name, uploadId] = [textOf(upload, 'Key'), textOf(upload, 'UploadId')]
      if (name?.startsWith(`${folder}/`) === true && uploadId !== undefined) await abortUpload(client, name, uploadId)
    }
    const [key, id] = [textOf(xml, 'NextKeyMarker'), textOf(xml, 'NextUploadIdMarker')]
    if (textOf(xml, 'IsTruncated') !== 'true' || key === undefined || id === from['upload-id-marker']) return
    from = { 'key-marker': key, 'upload-id-marker': id ?? '' }
  }
}
