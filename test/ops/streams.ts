/** In-memory streams in place of a process's: what a command reads and prints. */
import { PassThrough, Readable } from 'node:stream'
import type { Streams } from '../../ops/terminal.ts'

export interface Captured extends Streams {
  readonly out: () => string
  readonly err: () => string
}

export interface CaptureOptions {
  readonly stdin?: string
  readonly env?: NodeJS.ProcessEnv
  readonly isTTY?: boolean
}

export function capture({ stdin = '', env = {}, isTTY = false }: CaptureOptions = {}): Captured {
  const [stdout, stderr] = [collector(isTTY), collector(isTTY)]
  return { stdin: Readable.from([stdin]), stdout, stderr, env, out: () => stdout.text(), err: () => stderr.text() }
}

function collector(isTTY: boolean): PassThrough & { readonly isTTY: boolean; readonly text: () => string } {
  const stream = new PassThrough()
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return Object.assign(stream, { isTTY, text: () => text })
}
