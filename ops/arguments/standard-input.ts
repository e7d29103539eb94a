/** Reads a token from standard input. A token is never an argument, because every user of the machine can see arguments. */
import { BUNDLE_BYTES_MAX } from '../../shared/limits.ts'
import { cleanToken } from '../../shared/macaroon/paste.ts'
import type { Terminal } from '../terminal.ts'
import { MacaroondError } from '../../shared/errors.ts'

/** More than the limit of a token, so that a token that is too long gets its own error. The rest is not read. */
const CHARS_MAX: number = BUNDLE_BYTES_MAX + 1024

/**
 * The token without the white space around it. `say` prints a prompt if a person types. Throws usage if there is no input, and
 * token_malformed if something else was pasted with the token.
 */
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
  if (token !== '') return cleanToken(token)
  throw new MacaroondError('usage', 'there is no token on standard input', {
    hint: 'pipe one in, for example: macaroond token verify --org acme < token.txt',
  })
}

/** `--token`, or another argument `how`, takes only `-`, which stands for standard input. Throws usage. */
export function checkTokenArgument(token: string | undefined, how: string = '--token -'): void {
  if (token === undefined || token === '-') return
  throw new MacaroondError('usage', 'a token is not given as an argument, where other users of the machine see it', {
    hint: `write \`${how}\` and pipe the token in; if it was a real one, consider it leaked and revoke it`,
  })
}

/** The id of the token on stdin. Throws usage, and what reading a token throws. */
export async function idOfInput(terminal: Terminal): Promise<string> {
  const [{ decodeBundle }, { decodeIdentifier }, { tokenId }] = await Promise.all([
    import('../../shared/macaroon/bundle.ts'),
    import('../../shared/macaroon/identifier.ts'),
    import('../../shared/ids.ts'),
  ])
  const [root] = decodeBundle(await readToken(terminal))
  const { kid, nonce } = decodeIdentifier(root?.identifier ?? new Uint8Array())
  return tokenId(kid, nonce)
}
