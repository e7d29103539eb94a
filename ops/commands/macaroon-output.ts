/** The output of the `macaroon` commands: macaroons in the requested format, and fields as hex and as text. */
import type { Command } from 'commander'
import { suggest } from '../../shared/suggest.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { OFFLINE_LIMITS } from '../../shared/macaroon/format-limits.ts'
import { MACAROON_FORMATS } from '../../shared/macaroon/format.ts'
import type { Macaroon } from '../../shared/macaroon/macaroon.ts'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { encodeText } from '../../shared/macaroon/text.ts'
import { decodeUtf8 } from '../../shared/macaroon/utf8.ts'
import type { Terminal } from '../terminal.ts'

const FORMATS: readonly string[] = [...MACAROON_FORMATS, 'text']

export const FORMAT_HELP = 'v1 or v2 (base64url), v2j (JSON), or text (mcn1_…)'

/** Adds `--format`. `fallback` names the default in the help. */
export function withFormat(command: Command, fallback: string): Command {
  return command.option('--format <format>', `${FORMAT_HELP}; without it, ${fallback}`, parseFormat)
}

/** Throws usage. */
export function parseFormat(text: string): TextFormat {
  if (FORMATS.includes(text)) return text as TextFormat
  const near = suggest(text, FORMATS)
  throw new MacaroondError('usage', `--format is one of ${FORMATS.join(', ')}`, {
    hint: near === undefined ? 'see --help' : `did you mean ${near}?`,
  })
}

/** The macaroon as text. Throws if the format cannot express it. */
export function printed(macaroon: Macaroon, format: TextFormat): string {
  return encodeText(macaroon, format, OFFLINE_LIMITS)
}

/** Prints one macaroon alone on stdout, so that the output can be piped into the next command. */
export function answerMacaroon(terminal: Terminal, macaroon: Macaroon, format: TextFormat): void {
  const text = printed(macaroon, format)
  terminal.answer({ macaroon: text, format }, text)
}

/** Bytes in JSON: always as hex, and also as text if they are UTF-8. */
export interface BytesDocument {
  readonly hex: string
  readonly text?: string
}

export function bytesDocument(bytes: Uint8Array): BytesDocument {
  const hex = Buffer.from(bytes).toString('hex')
  const text = decodeUtf8(bytes)
  return text === undefined ? { hex } : { hex, text }
}

/** Bytes from hex, the only way to give bytes that are not text on a command line. Throws usage. */
export function parseHex(text: string): Uint8Array {
  if (/^([0-9a-f]{2})+$/i.test(text)) return new Uint8Array(Buffer.from(text, 'hex'))
  throw new MacaroondError('usage', 'not an even number of hex digits', { hint: 'for example 00ff20' })
}
