/** The options `--after` and `--limit` of commands that list stored rows. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'

export interface PagingOptions {
  readonly after?: string
  readonly limit?: string
}

export interface Paging<Place = number> {
  readonly after: Place
  /** Infinity for all. */
  readonly limit: number
}

/** Adds `--after` and `--limit`. `what` names the number that `--after` takes. */
export function addPaging(command: Command, what: string): Command {
  return command
    .option('--after <number>', `continue after this ${what} (default: 0)`)
    .option('--limit <count>', 'at most this many (default: all)')
}

/** Adds `--after` and `--limit` to a list of tokens, whose pages name the place to continue by a nonce. */
export function addTokenPaging(command: Command): Command {
  return command
    .option('--after <place>', 'continue there: the `next` of an earlier answer')
    .option('--limit <count>', 'at most this many (default: all)')
}

/** Throws usage. */
export function pagingOf({ after = '0', limit }: PagingOptions): Paging {
  return { after: count('--after', after, 0), limit: limitOf(limit) }
}

/** Throws usage. */
export function tokenPagingOf({ after = '', limit }: PagingOptions): Paging<string> {
  if (/^([0-9a-f]{32})?$/.test(after)) return { after, limit: limitOf(limit) }
  throw new MacaroondError('usage', `--after is the \`next\` of an earlier answer, not ${after.slice(0, 80)}`)
}

function limitOf(limit: string | undefined): number {
  return limit === undefined ? Infinity : count('--limit', limit, 1)
}

/** Throws usage. */
function count(option: string, text: string, min: number): number {
  const value = Number(text)
  if (/^\d{1,15}$/.test(text) && value >= min) return value
  throw new MacaroondError('usage', `${option} is a whole number from ${min}, not ${text.slice(0, 80)}`)
}
