/** Reads the body of an HTTP request or response, up to a limit, as UTF-8. */
import { decodeUtf8 } from '../macaroon/utf8.ts'

/** `too_large`: the body has more than `bytesMax` bytes. `not_text`: it is not UTF-8. */
export type UnreadBody = { readonly fault: 'too_large' | 'not_text' }

/** Stops reading at the limit, whatever `content-length` says. A body whose declared length exceeds it is not read at all. */
export async function readBody(message: Request | Response, bytesMax: number): Promise<string | UnreadBody> {
  if (Number(message.headers.get('content-length')) > bytesMax) return { fault: 'too_large' }
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the stream, which closes its connection.
  for await (const chunk of message.body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) return { fault: 'too_large' }
    chunks.push(chunk)
  }
  return decodeUtf8(Buffer.concat(chunks)) ?? { fault: 'not_text' }
}
