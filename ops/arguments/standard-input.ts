/** Tokens come in on standard input, never as arguments: those are seen by every user of the machine. */
import { MacaroondError } from '../../shared/errors.ts'
import { BUNDLE_BYTES_MAX } from '../../shared/limits.ts'
import type { Terminal } from '../terminal.ts'

/** Enough for whoever judges the token to see that it is too long; what comes after that is not read. */
const CHARS_MAX: number = BUNDLE_BYTES_MAX + 1024

/** Throws usage when there is none. */
export async function readToken({
  stdin,
  say,
}: Pick<Terminal, 'stdin'> & { say: (line: string) => void }): Promise<string> {
  if (stdin.isTTY === true) say('paste the token, then press Enter and Ctrl-D')
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > CHARS_MAX) break
  }
  const token = text.trim().slice(0, CHARS_MAX)
  if (token !== '') return token
  throw new MacaroondError('usage', 'there is no token on standard input', {
    hint: 'pipe one in, for example: macaroond token verify --org acme < token.txt',
  })
}
