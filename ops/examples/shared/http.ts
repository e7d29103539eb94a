/** A minimal HTTP layer for the services of the examples: bearer tokens and JSON bodies in, JSON out, and calls to them. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** A service that reads bodies without a limit can be filled up by any caller. */
const BODY_BYTES_MAX = 64 * 1024

/** The token of an Authorization header (RFC 6750, section 2.1); '' if there is none. */
export function bearerOf(request: IncomingMessage): string {
  return /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
}

/** The JSON body; an empty object if there is none. Throws for a body that is too large or no JSON. */
export async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}') as Record<string, unknown>
}

/** A member that is text or a number, as text; '' for anything else. */
export function textIn(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** Answers with JSON. No cache may keep the answer, because it depends on the caller's token. */
export function reply(response: ServerResponse, status: number, body: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(body))
}

/** The answer of a service. */
export interface Called {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Calls a service, with the token as a bearer token if there is one. */
export async function call(
  url: string,
  { token = '', ...init }: RequestInit & { token?: string } = {},
): Promise<Called> {
  const headers = new Headers(init.headers)
  if (token !== '') headers.set('authorization', `Bearer ${token}`)
  const response = await fetch(url, { ...init, headers })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** The outcome of a call in words: `shown` of the body, `unauthorized`, or the status. */
export function outcome({ status, body }: Called, shown: (body: Record<string, unknown>) => string): string {
  if (status === 200) return shown(body)
  return status === 401 || status === 403 ? 'unauthorized' : `status ${status}`
}
