/** Adapts a fetch-style handler to `node:http`. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/** A listener for `http.createServer`. The handler sees the path only: the client chooses the Host header, so it is dropped. */
export function nodeListener(handle: (request: Request) => Promise<Response>): RequestListener {
  return (incoming, outgoing) => {
    const request = requestOf(incoming)
    if (request === undefined) return void outgoing.writeHead(400).end()
    handle(request)
      .then((response) => send(response, outgoing))
      .catch(() => void outgoing.destroy())
  }
}

function requestOf(incoming: IncomingMessage): Request | undefined {
  const { method = 'GET', url = '/' } = incoming
  const parsed = URL.parse(url, 'http://localhost')
  if (parsed === null) return undefined
  const bare = method === 'GET' || method === 'HEAD'
  try {
    const headers = headersOf(incoming)
    return new Request(parsed, bare ? { method, headers } : { method, headers, body: bodyOf(incoming), duplex: 'half' })
  } catch {
    // `Request` refuses some methods, such as TRACE.
    return undefined
  }
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, values = []] of Object.entries(incoming.headersDistinct)) {
    for (const value of values) headers.append(name, value)
  }
  return headers
}

function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  return Readable.toWeb(incoming) as ReadableStream<Uint8Array>
}

async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer())
  // Unread bytes of this request would precede the next request on the connection, so the connection is closed.
  const close = outgoing.req.complete ? {} : { connection: 'close' }
  outgoing.writeHead(response.status, {
    ...Object.fromEntries(response.headers),
    'content-length': body.length,
    ...close,
  })
  outgoing.end(body)
}
