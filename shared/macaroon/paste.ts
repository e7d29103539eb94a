/**
 * Names what a person pasted around or into a token, and what to do about it. A token is copied from a mail, a header or the
 * JSON of another command, and the error of a decoder would only say that some character is wrong.
 */
import { MacaroondError } from '../errors.ts'

export interface PasteFault {
  /** What is wrong, as the rest of a sentence about the token: `is in quotation marks`. */
  readonly what: string
  /** What to do, as a command. */
  readonly action: string
}

/** Where a token is the value of a member, as `token mint --json` prints it. */
const TOKEN_MEMBER = /^\s*\{[^]*"token"\s*:\s*"/

const FAULTS: readonly (readonly [RegExp, string, string])[] = [
  [TOKEN_MEMBER, 'is inside a JSON document', 'take .token of it, for example with `jq -r .token`'],
  [/^\s*["'`“”‘’«»]|["'`“”‘’«»]\s*$/, 'is in quotation marks', 'remove them'],
  [/^\s*(authorization:\s*)?bearer\s/i, 'has `Bearer ` before it', 'give only what follows it'],
]

/** Undefined if the text shows none of these mistakes. It may still be no token. */
export function pasteFault(text: string): PasteFault | undefined {
  for (const [pattern, what, action] of FAULTS) if (pattern.test(text)) return { what, action }
  // JSON may be spread over lines.
  if (text.trimStart().startsWith('{')) return undefined
  const lines = text.trim().split(/\r\n|[\r\n]/).length
  if (lines > 1) return { what: `is folded over ${lines} lines`, action: 'join them into one' }
  if (/\S\s+\S/.test(text)) return { what: 'has white space in it', action: 'remove it' }
  return text === text.trim() ? undefined : { what: 'has white space around it', action: 'remove it' }
}

/** The sentence of a fault. It contains no part of the token. */
export function pasteSentence({ what, action }: PasteFault): string {
  return `the token ${what}: ${action}`
}

/** The token without the white space around it. Throws token_malformed for anything else that was pasted with it. */
export function cleanToken(text: string): string {
  // A caller without types may pass undefined; the decoder says that there is no token.
  if (typeof text !== 'string') return text
  const token = text.trim()
  const fault = pasteFault(token)
  if (fault === undefined) return token
  throw new MacaroondError('token_malformed', `the token ${fault.what}`, { hint: fault.action })
}
