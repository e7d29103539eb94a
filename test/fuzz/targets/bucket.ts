/** Targets of the object store, which is not trusted: its answers, and the names of a bucket and its keys. */
import { BucketStorage } from '../../../shared/archive/s3/bucket.ts'
import { readCredentials } from '../../../shared/archive/s3/credentials.ts'
import { abortUploads } from '../../../shared/archive/s3/parts.ts'
import { S3Client, type S3ClientOptions } from '../../../shared/archive/s3/client.ts'
import { parseS3Url } from '../../../shared/archive/s3/settings.ts'
import { elements, escapeXml, textOf } from '../../../shared/archive/s3/xml.ts'
import { segmentKey } from '../../../shared/archive/layout.ts'
import { listSegmentFiles } from '../../../shared/archive/read-file.ts'
import type { ErrorCode } from '../../../shared/errors.ts'
import { txid } from '../../../shared/ids.ts'
import { ENTROPY } from '../fixed.ts'
import { decodeHttp, encodeHttp, responseOf } from '../http-message.ts'
import { scratchFile } from '../scratch.ts'
import { countText, requireSame, type Target } from '../target.ts'

const KEY = segmentKey(0, { minTxid: txid(1), maxTxid: txid(2) })
const OBJECT = Buffer.from('the object')

const OPTIONS: S3ClientOptions = {
  settings: parseS3Url('s3://bucket/folder?endpoint=http://127.0.0.1:9', {}),
  credentials: () => ({ accessKeyId: 'AKI', secretAccessKey: 'secret' }),
  clock: { wallMs: () => 1_700_000_000_000 },
  entropy: ENTROPY,
  wait: () => Promise.resolve(),
}

/** Answers stand in for the network: everything of ours, from the request that is signed on, is as it is. */
async function answered<T>(answers: readonly Buffer[], ask: () => Promise<T>): Promise<T> {
  const { fetch } = globalThis
  let asked = 0
  globalThis.fetch = () => {
    const answer = answers[Math.min(asked, answers.length - 1)]!
    asked += 1
    return Promise.resolve(responseOf(answer))
  }
  try {
    return await ask()
  } finally {
    globalThis.fetch = fetch
  }
}

const xml = (body: string, status: number = 200): Buffer =>
  encodeHttp({
    status,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<?xml version="1.0"?>\n${body}`),
  })

const content = (name: string, size: number): string =>
  `<Contents><Key>${escapeXml(name)}</Key><LastModified>2026-11-25T00:00:00.000Z</LastModified><ETag>&quot;a&quot;</ETag><Size>${size}</Size></Contents>`

const LISTS: readonly Buffer[] = [
  xml(
    `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated>${content('folder/0000/0000000000000001-0000000000000002.ltx', 10)}${content('folder/odd &amp; &#x41;&lt;', 3)}</ListBucketResult>`,
  ),
  xml(
    '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>',
  ),
  xml('<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>', 404),
  xml('<Error><Code>SlowDown</Code></Error>', 503),
  xml('<Error><Code>AccessDenied</Code></Error>', 403),
  xml(`<ListBucketResult>${content('folder/&constructor;', -5)}</ListBucketResult>`),
]

const CODES: readonly ErrorCode[] = [
  'archive_missing',
  'archive_denied',
  'archive_unavailable',
  'archive_damaged',
  'disk_full',
  'io_failed',
]

/** A list that goes on is followed by one that ends it. */
async function runList(input: Buffer): Promise<string> {
  const storage = new BucketStorage(OPTIONS)
  const objects = await answered([input, LISTS[0]!], () => storage.list(''))
  for (const { key, bytes, timestampMs } of objects) {
    const whole = Number.isSafeInteger(bytes) && bytes >= 0 && Number.isFinite(timestampMs)
    if (!whole) throw new Error(`an object of ${bytes} bytes at ${timestampMs}`)
    if (key.startsWith('folder/')) requireSame(key, key.trim(), 'a key with spaces round it')
  }
  const files = await answered([input, LISTS[0]!], () => listSegmentFiles(storage))
  return `${countText(objects.length)}, segments ${countText(files.length)}`
}

async function runObject(input: Buffer): Promise<string> {
  const storage = new BucketStorage(OPTIONS)
  const whole = await answered([input], () => storage.get(KEY))
  if (whole === undefined) return 'missing'
  const { status, body } = decodeHttp(input)
  if (status === 200 && whole.length > 0)
    requireSame(whole.toString('hex'), body.toString('hex'), 'another object was read')
  return whole.length === 0 ? 'empty' : 'read'
}

/** Whatever a document says: no text comes out that is not in it, or written there as an entity. */
function runXml(input: Buffer): string {
  const text = input.toString('utf8')
  const found = elements(text, 'Key')
  if (!found.every((one) => text.includes(one))) throw new Error('an element that is not there')
  const plain = textOf(text, 'Key')
  if (plain === undefined) return 'none'
  const again = textOf(`<Key>${escapeXml(plain)}</Key>`, 'Key')
  requireSame(again, plain.trim(), 'a text reads differently when written again')
  if (plain.length > found[0]!.length) throw new Error('a text became longer')
  return countText(found.length)
}

async function runUploads(input: Buffer): Promise<string> {
  const done = encodeHttp({ status: 204, headers: {}, body: Buffer.alloc(0) })
  await answered([input, done], () => abortUploads(new S3Client(OPTIONS), 'folder'))
  return 'swept'
}

function runUrl(input: Buffer): string {
  const settings = parseS3Url(input.toString('utf8'), {})
  const { origin } = new URL(settings.endpoint)
  requireSame(origin, settings.endpoint, 'an endpoint that is none')
  if (/(^|\/)\.{0,2}(\/|$)/.test(settings.prefix)) throw new Error('a folder with parts that are none')
  return settings.pathStyle ? 'in the path' : 'in the host'
}

function runCredentials(input: Buffer): string {
  const file = scratchFile('credentials', input)
  const { accessKeyId, secretAccessKey } = readCredentials({ AWS_SHARED_CREDENTIALS_FILE: file })
  const text = input.toString('utf8')
  if (!text.includes(accessKeyId) || !text.includes(secretAccessKey)) throw new Error('credentials that are not there')
  return 'read'
}

export const BUCKET_TARGETS: readonly Target[] = [
  {
    name: 'list',
    seeds: () => LISTS,
    run: runList,
    codes: CODES,
    plain: true,
    every: 16,
    reach: ['several, segments one', 'archive_unavailable', 'archive_missing', 'archive_denied'],
  },
  {
    name: 'object',
    seeds: () => [
      encodeHttp({ status: 206, headers: { 'content-range': 'bytes 0-9/10', etag: '"a"' }, body: OBJECT }),
      encodeHttp({ status: 200, headers: { 'content-length': '10' }, body: OBJECT }),
      xml('<Error><Code>NoSuchKey</Code></Error>', 404),
      xml('<Error><Code>InvalidRange</Code></Error>', 416),
      xml('<Error><Code>InternalError</Code></Error>'),
    ],
    run: runObject,
    codes: CODES,
    plain: true,
    every: 16,
    reach: ['read', 'missing', 'empty', 'archive_unavailable'],
  },
  {
    name: 'XML',
    seeds: () => LISTS.map((list) => list.subarray(list.indexOf('<'))),
    run: runXml,
    codes: [],
    reach: ['none', 'one', 'several'],
  },
  {
    name: 'uploads',
    seeds: () => [
      xml(
        '<ListMultipartUploadsResult><Upload><Key>folder/a</Key><UploadId>u&amp;1</UploadId></Upload></ListMultipartUploadsResult>',
      ),
      LISTS[2]!,
    ],
    run: runUploads,
    codes: CODES,
    plain: true,
    every: 16,
    reach: ['swept'],
  },
  {
    name: 'bucket URL',
    seeds: () =>
      [
        's3://bucket/folder',
        's3://b.cket/a/b?endpoint=https://host:9000&region=eu-1&forcePathStyle=true',
        's3://bucket.localhost:9000/folder',
        's3://bucket.s3.eu-central-1.amazonaws.com/folder',
        's3://bucket.fra1.digitaloceanspaces.com/f%20o',
      ].map((url) => Buffer.from(url)),
    run: runUrl,
    codes: ['config_invalid'],
    plain: true,
    reach: ['in the path', 'in the host', 'config_invalid'],
  },
  {
    name: 'credentials',
    seeds: () => [
      Buffer.from(
        '# keys\n[other]\naws_access_key_id = X\n\n[default]\naws_access_key_id = AKI\naws_secret_access_key=secret\naws_session_token = t\n',
      ),
    ],
    run: runCredentials,
    codes: ['archive_denied'],
    every: 4,
    reach: ['read', 'archive_denied'],
  },
]
