/** Sends requests to a store: signed, limited in time and size, and retried after failures that may pass. */
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { AwsV4Signer } from 'aws4fetch'
import type { Clock, Entropy } from '../../clock.ts'
import { sha256 } from '../../crypto.ts'
import { S3_DOCUMENT_BYTES_MAX, S3_REQUEST_TIMEOUT_MS } from '../../limits.ts'
import { Deadline, readAll } from './bounds.ts'
import type { S3Credentials } from './credentials.ts'
import { refusal } from './refusal.ts'
import { retryDelayMs, type S3Failure } from './retry.ts'
import { type S3Settings, urlOf } from './settings.ts'
import { textOf } from './xml.ts'

export interface S3ClientOptions {
  readonly settings: S3Settings
  /** Reads the credentials: once at the start, and again if the store says that they have expired. Throws archive_denied. */
  readonly credentials: () => S3Credentials
  readonly clock: Pick<Clock, 'wallMs'>
  readonly entropy: Pick<Entropy, 'uniform'>
  /** Waits between two attempts. */
  readonly wait?: (ms: number) => Promise<unknown>
  /** Timeout of one attempt, to which the time for its bytes is added. Default S3_REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Name of the object in the bucket; without it the request is for the bucket. */
  readonly name?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
  /** A longer answer is refused. Default S3_DOCUMENT_BYTES_MAX. */
  readonly bytesMax?: number
  /** Failures that `send` returns instead of throwing: the code, or the status of an answer without an error document. */
  readonly expected?: readonly string[]
  /** Completes "… while …" in errors. */
  readonly doing: string
}

export interface S3Answer {
  readonly status: number
  /** The expected failure; empty for a success. */
  readonly code: string
  readonly headers: Headers
  readonly body: Buffer
  /** True if an earlier attempt failed. The store may have carried it out although its answer was lost. */
  readonly repeated: boolean
}

type Attempt = Omit<S3Answer, 'repeated'>

export class S3Client {
  readonly settings: S3Settings
  readonly #options: S3ClientOptions
  /** Signing keys derived from the secret, one for each day and region. */
  readonly #derivedKeys = new Map<string, ArrayBuffer>()
  #credentials: S3Credentials

  constructor(options: S3ClientOptions) {
    this.#options = options
    this.settings = options.settings
    this.#credentials = options.credentials()
  }

  /** Throws archive_missing, archive_denied, archive_unavailable, disk_full, io_failed. */
  async send(request: S3Request): Promise<S3Answer> {
    const { wait = delay, entropy } = this.#options
    let repeated = false
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#attempt(request)
      if (!('failure' in answer)) return { ...answer, repeated }
      const { failure } = answer
      if (attempt === 1 && failure.code === 'ExpiredToken' && this.#hasNewCredentials()) continue
      const delayMs = retryDelayMs(failure, attempt, entropy.uniform())
      if (delayMs === undefined) throw refusal(failure, request.doing, this.settings)
      repeated = true
      await wait(delayMs)
    }
  }

  async #attempt(request: S3Request): Promise<Attempt | { readonly failure: S3Failure }> {
    const { bytesMax = S3_DOCUMENT_BYTES_MAX, body, expected = [] } = request
    const deadline = new Deadline(this.#options.timeoutMs ?? S3_REQUEST_TIMEOUT_MS)
    try {
      deadline.restartFor(body?.length ?? 0)
      const response = await this.#fetch(request, deadline.signal)
      const limit = response.ok ? bytesMax : S3_DOCUMENT_BYTES_MAX
      deadline.restartFor(Math.min(limit, Number(response.headers.get('content-length') ?? limit)))
      const bytes = await readAll(response, limit)
      const code = codeOf(response, bytes)
      const answer = { status: response.status, code, headers: response.headers, body: bytes }
      if (code === '' || expected.includes(code)) return answer
      return { failure: { status: response.status, code, retryAfterMs: retryAfterOf(response) } }
    } catch (error) {
      return { failure: { status: undefined, code: causeOf(error) } }
    } finally {
      deadline.end()
    }
  }

  async #fetch({ method, name, query = {}, headers = {}, body }: S3Request, signal: AbortSignal): Promise<Response> {
    const signer = new AwsV4Signer({
      method,
      url: urlOf(this.settings, name, query),
      headers: {
        ...headers,
        'x-amz-content-sha256': sha256(body ?? Buffer.alloc(0)).toString('hex'),
        ...(body === undefined ? {} : { 'content-md5': createHash('md5').update(body).digest('base64') }),
      },
      ...this.#credentials,
      service: 's3',
      region: this.settings.region,
      cache: this.#derivedKeys,
      datetime: new Date(this.#options.clock.wallMs()).toISOString().replaceAll(/[:-]|\.\d{3}/g, ''),
    })
    const signed = await signer.sign()
    return fetch(signed.url, { method, headers: signed.headers, body: body ?? null, signal, redirect: 'manual' })
  }

  #hasNewCredentials(): boolean {
    const before = this.#credentials
    this.#credentials = this.#options.credentials()
    return before.sessionToken !== this.#credentials.sessionToken
  }
}

/**
 * Returns the error code, empty for a success. S3 sends status 200 for some requests before it knows their result, so an error
 * may be in the body. The body of a 206 is part of an object, and never an error.
 */
function codeOf({ status, ok }: Response, body: Buffer): string {
  const isDocument = body[0] === '<'.charCodeAt(0) && body.length <= S3_DOCUMENT_BYTES_MAX
  const isError = isDocument && /^(<\?xml[^>]*>\s*)?<Error[\s>]/.test(body.toString('utf8', 0, 1_024))
  if (status === 206 || (ok && !isError)) return ''
  return (isError ? textOf(body.toString('utf8'), 'Code') : undefined) ?? String(status)
}

function retryAfterOf({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? '')
  return seconds > 0 ? seconds * 1_000 : undefined
}

/** Returns the code of a failure, without its text. `fetch` puts the code into the cause of its error. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  if (error.name === 'TimeoutError') return 'timeout'
  const { cause } = error
  const inner = cause instanceof Error && 'code' in cause ? cause.code : 'code' in error ? error.code : ''
  return typeof inner === 'string' ? inner : ''
}
