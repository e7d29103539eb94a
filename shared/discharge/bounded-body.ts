/** Reads the body of a request or an answer, up to a limit. */
import { decodeUtf8 } from '../macaroon/utf8.ts'

/** What stands in its place: more than `bytesMax` bytes, or not UTF-8. */
export type UnreadBody = { readonly fault: 'too_large' | 'not_text' }

/** Stops reading at the limit, whatever the headers say of the length; a longer one is not even begun. */
export async function readBody(message: Request | Response, bytesMax: number): Promise<string | UnreadBody> {
  if (Number(message.headers.get('content-length')) > bytesMax) return { fault: 'too_large' }
  const chunks: Uint8Array[] = []
  let bytes = 0
  // Leaving the loop cancels the stream, and so ends the connection behind it.
  for await (const chunk of message.body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) return { fault: 'too_large' }
    chunks.push(chunk)
  }
  return decodeUtf8(Buffer.concat(chunks)) ?? { fault: 'not_text' }
}
