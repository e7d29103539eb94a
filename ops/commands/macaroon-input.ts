/**
 * The input of the `macaroon` commands: macaroons from standard input, keys from files. Neither is ever an argument, because
 * every user of the machine can see arguments. Everything read has a limit.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { MacaroondError } from '../../shared/errors.ts'
import { KEY_FILE_BYTES_MAX, OFFLINE_INPUT_BYTES_MAX } from '../../shared/limits.ts'
import { OFFLINE_BUNDLE_LIMITS } from '../../shared/macaroon/bundle-codec.ts'
import { readBundle } from '../../shared/macaroon/bundle.ts'
import { tooLarge } from '../../shared/macaroon/format-errors.ts'
import type { TextMacaroon } from '../../shared/macaroon/text-codec.ts'
import { decodeUtf8 } from '../../shared/macaroon/utf8.ts'
import { causeAbout, reasonAbout, shown } from '../../shared/shown.ts'
import type { Terminal } from '../terminal.ts'

const NEWLINE = 0x0a

/** A list of macaroons for each line; `~` joins several on one line. Empty lines are skipped. Throws token_missing. */
export async function readLines(terminal: Terminal): Promise<readonly (readonly TextMacaroon[])[]> {
  const text = (await readText(terminal)).trim()
  if (text === '') {
    throw new MacaroondError('token_missing', 'there is no macaroon on standard input', {
      hint: 'pipe one in, for example: macaroond macaroon inspect < macaroon.txt',
    })
  }
  // Lines are counted before they are decoded: no input of many lines costs more than its bytes.
  const lines = linesOf(text)
  const discharges = OFFLINE_BUNDLE_LIMITS.discharges
  if (lines.length > discharges + 1) throw tooLarge('there are more lines', discharges + 1)
  return lines.map((line) => readBundle(line, OFFLINE_BUNDLE_LIMITS))
}

/** All macaroons, the root first, one a line or joined with `~`. Throws token_missing, token_too_large. */
export async function readMacaroons(terminal: Terminal): Promise<readonly [TextMacaroon, ...TextMacaroon[]]> {
  const [root, ...discharges] = (await readLines(terminal)).flat()
  if (root === undefined) throw new MacaroondError('token_missing', 'there is no macaroon on standard input')
  const limit = OFFLINE_BUNDLE_LIMITS.discharges
  if (discharges.length > limit) throw tooLarge('there are more discharges', limit)
  return [root, ...discharges]
}

/** The only macaroon. A bundle is refused, because changing the root would make its bound discharges invalid. */
export async function readMacaroon(terminal: Terminal): Promise<TextMacaroon> {
  const [macaroon, ...more] = await readMacaroons(terminal)
  if (more.length === 0) return macaroon
  throw new MacaroondError('bundle_malformed', 'there is more than one macaroon on standard input', {
    hint: 'give the root alone: caveats come first, then discharges, and `bind` last',
  })
}

/** The secret in a file, without the one newline that editors add at the end. Throws key_unreadable, key_malformed. */
export function readKeyFile(path: string, what: string = 'key file'): Uint8Array {
  const bytes = readBounded(path, what)
  const secret = bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes
  if (secret.length > KEY_FILE_BYTES_MAX) {
    throw new MacaroondError('key_malformed', `the ${what} ${shown(path)} has more than ${KEY_FILE_BYTES_MAX} bytes`)
  }
  if (secret.length > 0) return new Uint8Array(secret)
  throw new MacaroondError('key_malformed', `the ${what} ${shown(path)} is empty`, {
    hint: 'the file must contain the secret itself',
  })
}

/** At most one byte more than a key and its newline may have, so a huge file is refused without being read. */
function readBounded(path: string, what: string): Buffer {
  const buffer = Buffer.alloc(KEY_FILE_BYTES_MAX + 2)
  let length = 0
  try {
    const file = openSync(path, 'r')
    try {
      // A pipe returns short reads, so read until the end or the limit.
      for (let read = 1; read > 0 && length < buffer.length; length += read) {
        read = readSync(file, buffer, length, buffer.length - length, null)
      }
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    const why = reasonAbout(path, cause)
    throw new MacaroondError(
      'key_unreadable',
      `cannot read the ${what} ${shown(path)}: ${why}`,
      causeAbout(path, cause),
    )
  }
  return buffer.subarray(0, length)
}

/** The lines of the input. JSON that is spread over several lines, as `jq` prints it, counts as one line. */
function linesOf(text: string): readonly string[] {
  const [first = ''] = text.split('\n', 1)
  if (first.startsWith('{') && !first.trimEnd().endsWith('}')) return [text]
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** Standard input as text. Throws token_too_large, token_utf8. */
async function readText(terminal: Terminal): Promise<string> {
  const { stdin } = terminal
  if (stdin.isTTY === true) terminal.say('paste the macaroons, then press Enter and Ctrl-D')
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > OFFLINE_INPUT_BYTES_MAX) throw tooLarge('there are more bytes', OFFLINE_INPUT_BYTES_MAX)
    chunks.push(bytes)
  }
  const text = decodeUtf8(Buffer.concat(chunks))
  if (text !== undefined) return text
  throw new MacaroondError('token_utf8', 'standard input is not UTF-8 text', {
    hint: 'macaroons are read in base64url, in the text form or as JSON',
  })
}
