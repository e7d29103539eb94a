/** The options `--after` and `--limit` of commands that list stored rows. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'

export interface PagingOptions {
  readonly after: string
  readonly limit?: string
}

export interface Paging {
  readonly after: number
  /** Infinity for all. */
  readonly limit: number
}

/** Adds `--after` and `--limit`. `what` names the number that `--after` takes. */
export function addPaging(command: Command, what: string): Command {
  return command
    .option('--after <number>', `continue after this ${what}`, '0')
    .option('--limit <count>', 'at most this many (default: all)')
}

/** Throws usage. */
export function pagingOf({ after, limit }: PagingOptions): Paging {
  return {
    after: count('--after', after, 0),
    limit: limit === undefined ? Infinity : count('--limit', limit, 1),
  }
}

/** Throws usage. */
function count(option: string, text: string, min: number): number {
  const value = Number(text)
  if (/^\d{1,15}$/.test(text) && value >= min) return value
  throw new MacaroondError('usage', `${option} is a whole number from ${min}, not ${text.slice(0, 80)}`)
}
