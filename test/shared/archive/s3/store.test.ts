/** Stores that do not keep to S3, or do not want us: real sockets, and answers that no real store is made to give. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { claimEpoch, requireCreateIfAbsent } from '../../../../primary/archiver/chain/claim-epoch.ts'
import { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { readManifest } from '../../../../shared/archive/read-chain.ts'
import { BucketStorage } from '../../../../shared/archive/s3/bucket.ts'
import type { S3ClientOptions } from '../../../../shared/archive/s3/client.ts'
import { parseS3Url } from '../../../../shared/archive/s3/settings.ts'
import { piecesOf } from '../../../../shared/archive/storage.ts'
import { systemClock, systemEntropy } from '../../../../shared/clock.ts'
import { ed25519Private, ed25519PublicKey } from '../../../../shared/crypto.ts'
import { epoch, timeline } from '../../../../shared/ids.ts'
import {
  ARCHIVE_READ_BYTES,
  S3_ATTEMPTS_MAX,
  S3_DOCUMENT_BYTES_MAX,
  S3_PART_BYTES_MIN,
} from '../../../../shared/limits.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const SECRET = 'a-secret-3f7a'

async function bucket(handle: Handler, options: Partial<S3ClientOptions> = {}): Promise<BucketStorage> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => handle(request, response))
  })
  return clientOf(server, options)
}

async function clientOf(server: Server, options: Partial<S3ClientOptions> = {}): Promise<BucketStorage> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const settings = parseS3Url(`s3://bucket/f?endpoint=http://127.0.0.1:${port}`, {})
  const credentials = (): { accessKeyId: string; secretAccessKey: string } => ({
    accessKeyId: 'AKI',
    secretAccessKey: SECRET,
  })
  const wait = (): Promise<void> => Promise.resolve()
  return new BucketStorage({ settings, credentials, clock: systemClock, entropy: systemEntropy, wait, ...options })
}

const says =
  (status: number, code: string, headers: Record<string, string> = {}): Handler =>
  (_, response) =>
    void response.writeHead(status, headers).end(`<?xml version="1.0"?>\n<Error><Code>${code}</Code></Error>`)

interface StoreOptions {
  readonly ignoresConditions?: boolean
  /** What answers in the store's place: once for each method, if it says so. */
  readonly instead?: (method: string) => Handler | false
}

/** A store that keeps what it is given, as far as our client asks for it. */
async function stored({ ignoresConditions = false, instead = () => false }: StoreOptions): Promise<BucketStorage> {
  const objects = new Map<string, Buffer>()
  const lied = new Set<string>()
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const { pathname, searchParams } = new URL(url, 'http://store')
      const other = method === 'GET' || lied.has(method) ? false : instead(method)
      if (other !== false) {
        lied.add(method)
        return other(request, response)
      }
      if (searchParams.has('list-type')) return void response.end(listOf(objects, searchParams.get('prefix') ?? ''))
      if (searchParams.has('uploads'))
        return void response.end(
          '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
        )
      if (method === 'PUT') return put()
      if (method === 'POST') {
        const parts = [...objects].filter(([name]) => name.startsWith(`${pathname}?`)).toSorted(byPart)
        objects.set(pathname, Buffer.concat(parts.map(([, bytes]) => bytes)))
        return void response.writeHead(200, { etag: '"t"' }).end('<CompleteMultipartUploadResult/>')
      }
      const there = objects.get(pathname)
      if (there === undefined) return void response.writeHead(404).end()
      const [, first = '0', last = ''] = /bytes=(\d+)-(\d*)/.exec(headers.range ?? '') ?? []
      const piece = there.subarray(Number(first), Number(last) + 1)
      const range = `bytes ${first}-${Number(first) + piece.length - 1}/${there.length}`
      response.writeHead(206, { 'content-range': range, etag: '"t"' }).end(piece)

      function put(): void {
        const part = searchParams.get('partNumber')
        const name = part === null ? pathname : `${pathname}?${part}`
        const isTaken = headers['if-none-match'] === '*' && objects.has(name) && !ignoresConditions
        if (isTaken) return says(412, 'PreconditionFailed')(request, response)
        objects.set(name, Buffer.concat(pieces))
        response.writeHead(200, { etag: '"t"' }).end()
      }
    })
  })
  return clientOf(server)
}

function byPart([a]: readonly [string, Buffer], [b]: readonly [string, Buffer]): number {
  return Number(a.split('?')[1]) - Number(b.split('?')[1])
}

function listOf(objects: ReadonlyMap<string, Buffer>, prefix: string): string {
  const found = [...objects].filter(([name]) => name.startsWith(`/bucket/${prefix}`))
  const contents = found.map(([name, bytes]) => {
    const key = name.slice('/bucket/'.length)
    return `<Contents><Key>${key}</Key><Size>${bytes.length}</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>`
  })
  const head = `<Prefix>${prefix}</Prefix><IsTruncated>false</IsTruncated>`
  return `<ListBucketResult>${head}${contents.join('')}</ListBucketResult>`
}

describe('a store', () => {
  test('that takes the condition of a write and ignores it is refused', async () => {
    const storage = await stored({ ignoresConditions: true })
    await expect(requireCreateIfAbsent(storage, systemEntropy)).rejects.toMatchObject({
      code: 'platform_unsupported',
      hint: expect.stringContaining('two primaries could lead'),
    })
  })

  test('behind a proxy that answers one write in its place is unavailable, and has said nothing', async () => {
    const page: Handler = (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    const lies = (of: 'PUT' | 'POST'): Promise<BucketStorage> => stored({ instead: (method) => method === of && page })
    const unavailable = { code: 'archive_unavailable' }
    const put = await lies('PUT')
    await expect(put.put('ltx/0/a', Buffer.from('x'), 0)).rejects.toMatchObject(unavailable)
    await put.put('ltx/0/a', Buffer.from('x'), 0)
    const file = await lies('PUT')
    await expect(file.create('ltx/0/a', Buffer.from('x'), 0)).rejects.toMatchObject(unavailable)
    expect(await file.create('ltx/0/a', Buffer.from('x'), 0)).toBe(true)
    const [probe, large] = [await lies('PUT'), Buffer.alloc(S3_PART_BYTES_MIN + 1)]
    await expect(requireCreateIfAbsent(probe, systemEntropy)).rejects.toMatchObject(unavailable)
    await requireCreateIfAbsent(probe, systemEntropy)
    for (const of of ['PUT', 'POST'] as const)
      await expect((await lies(of)).put('ltx/0/a', large, 0), of).rejects.toMatchObject(unavailable)
  })

  test('behind a proxy that says it took an entry is asked for it, and the entry is written again', async () => {
    let lie = false
    const storage = await stored({
      instead: (method) => {
        if (method !== 'PUT' || !lie) return false
        lie = false
        return (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
      },
    })
    const seed = Buffer.alloc(32, 7)
    const signingKey = { privateKey: ed25519Private(seed), publicKey: ed25519PublicKey(seed) }
    const place = { cluster: 'c', epoch: epoch(1), timeline: timeline('a'.repeat(32)) }
    await claimEpoch(storage, { ...place, atMs: 1 }, signingKey)
    const writer = new ManifestWriter({ storage, ...place, signingKey, wallMs: () => 1 })
    const change = { head: undefined, added: [], removed: [] }
    await writer.append(change)
    lie = true
    await expect(writer.append(change)).rejects.toMatchObject({ code: 'archive_unavailable' })
    await writer.load()
    expect((await writer.append(change)).seq).toBe(2)
    expect((await readManifest(storage, signingKey.publicKey)).seq).toBe(2)
  })

  test('that answers a list with something else, or of something else, has no empty archive', async () => {
    for (const body of [
      '<html>welcome</html>',
      '',
      '<ListBucketResult></ListBucketResult>',
      '<ListBucketResult><Prefix>other/</Prefix><IsTruncated>false</IsTruncated></ListBucketResult>',
    ]) {
      const storage = await bucket((_, response) => void response.end(body))
      await expect(storage.list('ltx/'), body).rejects.toMatchObject({ code: 'archive_unavailable' })
    }
  })

  test('that does not know the condition of a write is refused', async () => {
    const storage = await bucket(says(501, 'NotImplemented'))
    await expect(requireCreateIfAbsent(storage, systemEntropy)).rejects.toMatchObject({
      code: 'platform_unsupported',
      hint: expect.stringContaining('two primaries could lead'),
    })
  })

  test('that answers without an end is not listened to for ever', async () => {
    let sent = 0
    const storage = await bucket((_, response) => {
      const more = (): void => {
        sent += 65_536
        if (!response.destroyed) response.write(Buffer.alloc(65_536, '<'), more)
      }
      more()
    })
    await expect(storage.list('ltx/')).rejects.toMatchObject({ code: 'archive_unavailable' })
    expect(sent).toBeLessThan(S3_ATTEMPTS_MAX * S3_DOCUMENT_BYTES_MAX * 2)
  })

  test('that does not answer is given up after a while', async () => {
    let asked = 0
    const storage = await bucket(() => void (asked += 1), { timeoutMs: 50 })
    await expect(storage.list('ltx/')).rejects.toMatchObject({
      code: 'archive_unavailable',
      message: expect.stringContaining('timeout'),
    })
    expect(asked).toBeGreaterThan(1)
    expect(asked).toBeLessThan(S3_ATTEMPTS_MAX + 1)
  })

  test('that stops within an answer is given up after the time that its bytes may take', async () => {
    const storage = await bucket((_, response) => void response.writeHead(206, { 'content-length': 9 }).write('1'), {
      timeoutMs: 50,
    })
    await expect(storage.get('a', { start: 0, length: 9 })).rejects.toMatchObject({
      code: 'archive_unavailable',
      message: expect.stringContaining('timeout'),
    })
  })

  test('whose list is circular or malformed is an error', async () => {
    const page =
      '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>'
    const unended = page.replace(/<Next.*Token>/, '')
    for (const text of [page, unended, '<html>welcome</html>', page.slice(0, -5)]) {
      const storage = await bucket((_, response) => void response.end(text))
      await expect(storage.list('ltx/')).rejects.toMatchObject({ code: 'archive_unavailable' })
    }
  })

  test('that gives whole objects where a part was asked for, or other bytes, is not believed', async () => {
    const whole = await bucket((_, response) => void response.end('0123456789'))
    await expect(whole.get('a', { start: 3, length: 100 })).rejects.toMatchObject({ code: 'archive_unavailable' })
    const short = await bucket(
      (_, response) => void response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end('01234'),
    )
    await expect(short.get('a', { start: 0, length: 10 })).rejects.toMatchObject({ code: 'archive_unavailable' })
  })

  test('that says an error after it began with a success has not done it', async () => {
    let asked = 0
    const storage = await bucket((request, response) => {
      asked += 1
      if (asked === 1) return says(200, 'InternalError')(request, response)
      if (request.method === 'PUT') response.writeHead(200, { etag: '"x"' }).end()
      else response.writeHead(206, { 'content-range': 'bytes 0-0/1' }).end('x')
    })
    await storage.put('a', Buffer.from('x'), 0)
    // And its size, at the end.
    expect(asked).toBe(3)
  })

  test('that asks for time gets it', async () => {
    const waited: number[] = []
    let asked = 0
    const handle: Handler = (request, response) => {
      asked += 1
      if (asked < 3) says(503, 'SlowDown', { 'retry-after': '2' })(request, response)
      else response.writeHead(204).end()
    }
    const wait = (ms: number): Promise<void> => Promise.resolve(void waited.push(ms))
    const storage = await bucket(handle, { wait, entropy: { uniform: () => 0.5 } })
    await storage.delete('a')
    expect(waited).toEqual([2_000, 2_000])
  })

  test('that calls credentials expired gets newer ones, where there are any', async () => {
    const tokens = ['old', 'new']
    const seen: (string | undefined)[] = []
    const handle: Handler = (request, response) => {
      seen.push(request.headers['x-amz-security-token'] as string | undefined)
      if (seen.at(-1) === 'new') response.writeHead(204).end()
      else says(400, 'ExpiredToken')(request, response)
    }
    const credentials = (): { accessKeyId: string; secretAccessKey: string; sessionToken: string } => ({
      accessKeyId: 'AKI',
      secretAccessKey: SECRET,
      sessionToken: tokens.shift() ?? 'new',
    })
    const storage = await bucket(handle, { credentials })
    await storage.delete('a')
    expect(seen).toEqual(['old', 'new'])
    const never = await bucket(says(400, 'ExpiredToken'))
    await expect(never.delete('a')).rejects.toMatchObject({ code: 'archive_denied' })
  })

  test.each([
    [301, 'PermanentRedirect', 'archive_missing', 'region'],
    [400, 'AuthorizationHeaderMalformed', 'archive_missing', 'region'],
    [403, 'AccessDenied', 'archive_denied', 's3:ListBucket'],
    [403, 'RequestTimeTooSkewed', 'archive_denied', 'clock'],
    [404, 'NoSuchBucket', 'archive_missing', 'no such bucket'],
    [507, 'InsufficientStorage', 'disk_full', 'make room'],
    [403, 'QuotaExceeded', 'disk_full', 'make room'],
    [418, 'constructor', 'io_failed', 'S3 store'],
    [400, `<b>${SECRET}</b>`, 'io_failed', 'S3 store'],
  ])('%d %s is %s, and says what to do about %s', async (status, said, code, hint) => {
    const storage = await bucket(says(status, said))
    const works = [storage.put('a', Buffer.from('x'), 0), storage.list('ltx/'), storage.get('a'), storage.delete('a')]
    for (const result of await Promise.allSettled(works)) {
      const reason: unknown = result.status === 'rejected' ? result.reason : undefined
      expect(reason).toMatchObject({ code, hint: expect.stringContaining(hint) })
      expect(JSON.stringify([String(reason), reason])).not.toContain(SECRET)
    }
  })
})

describe('a large object', () => {
  test('is read ahead, a few pieces at a time, and one of one piece with one request', async () => {
    const total = 6 * ARCHIVE_READ_BYTES + 5
    let [running, most, asked] = [0, 0, 0]
    const get = async (
      _: string,
      range: { start: number; length: number } = { start: 0, length: 0 },
    ): Promise<Buffer> => {
      asked += 1
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      return Buffer.alloc(Math.max(0, Math.min(range.length, total - range.start)))
    }
    const storage = await bucket(says(404, 'NoSuchKey'))
    const reader = Object.assign(Object.create(storage) as BucketStorage, { get })
    let bytes = 0
    for await (const piece of piecesOf(reader, 'a', total)) bytes += piece.length
    expect(bytes).toBe(total)
    expect(most).toBeGreaterThan(1)
    expect(asked).toBeLessThan(11)
  })
})

test('a list with an object of negative or non-numeric size is an error', async () => {
  for (const size of ['-5', '', '1e3', '0x10', ' ', 'none']) {
    const content = `<Contents><Key>f/ltx</Key><LastModified>2026-11-25T00:00:00Z</LastModified><Size>${size}</Size></Contents>`
    const body = `<ListBucketResult>${content}</ListBucketResult>`
    const storage = await bucket((_, response) => void response.end(body))
    await expect(storage.list(''), size).rejects.toMatchObject({ code: 'archive_unavailable' })
  }
})
