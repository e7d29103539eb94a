/** An HTTP message as one input: the status and headers on a line of JSON, and the body below it. */

export interface HttpMessage {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export function encodeHttp({ status, headers, body }: HttpMessage): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify([status, headers])}\n`), body])
}

/** What an HTTP stack lets through; a line that is none is a plain success. */
export function decodeHttp(input: Buffer): HttpMessage {
  const end = input.indexOf('\n')
  const body = input.subarray(end + 1)
  try {
    const [status, given] = JSON.parse(input.toString('utf8', 0, Math.max(0, end))) as [unknown, object]
    const headers = new Headers(Object.entries(given).map(([name, value]): [string, string] => [name, String(value)]))
    if (!/^\d+$/.test(headers.get('content-length') ?? '')) headers.delete('content-length')
    const known = typeof status === 'number' && status >= 200 && status <= 599 ? Math.floor(status) : 200
    return { status: known, headers: Object.fromEntries(headers), body }
  } catch {
    return { status: 200, headers: {}, body }
  }
}

/** Such answers have no body. */
const EMPTY: readonly number[] = [204, 205, 304]

export function responseOf(input: Buffer): Response {
  const { status, headers, body } = decodeHttp(input)
  return new Response(EMPTY.includes(status) ? null : new Uint8Array(body), { status, headers })
}
