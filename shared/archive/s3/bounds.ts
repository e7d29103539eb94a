/** Limits a request to a store in time and in bytes. */
import { S3_BYTES_PER_MS_MIN } from '../../limits.ts'

/** A deadline for sending and one for receiving: a fixed time, plus the time for the bytes at the lowest accepted rate. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #timeoutMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Starts the deadline of one direction, which replaces the one before. */
  restartFor(bytes: number): void {
    this.end()
    const abort = (): void => this.#controller.abort(new DOMException('too late', 'TimeoutError'))
    this.#timer = setTimeout(abort, Math.ceil(this.#timeoutMs + bytes / S3_BYTES_PER_MS_MIN))
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}

/**
 * Reads an answer of at most `bytesMax`. A longer answer throws, which closes the connection. `fetch` itself fails if the
 * answer is shorter than announced.
 */
export async function readAll({ body, headers }: Response, bytesMax: number): Promise<Buffer> {
  if (Number(headers.get('content-length')) > bytesMax) throw tooLong(bytesMax)
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > bytesMax) throw tooLong(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, bytes)
}

function tooLong(bytesMax: number): Error {
  return Object.assign(new Error(`the answer is longer than ${bytesMax} bytes`), { code: 'AnswerTooLong' })
}
