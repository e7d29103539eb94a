/** Parses the state to restore: `--at` (a time, or "2 hours ago"), `--txid`, or neither for the newest state. */
import type { RestoreTarget } from '../../shared/archive/restore-plan.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { txid } from '../../shared/ids.ts'

/** `read` reads the time of `--at`. Throws usage. */
export function parseTarget(
  { at, txid: number }: { readonly at?: string | undefined; readonly txid?: string | undefined },
  read: (text: string) => number,
): RestoreTarget {
  if (at !== undefined && number !== undefined)
    throw new MacaroondError('usage', 'give either --at or --txid, not both')
  if (at !== undefined) return { kind: 'time', atMs: read(at) }
  return number === undefined ? { kind: 'head' } : { kind: 'txid', txid: parseNumber(number) }
}

/** A transaction number in decimal, or the 16 hex digits that stand in file names and positions. Throws usage. */
function parseNumber(text: string): ReturnType<typeof txid> {
  const value = /^[0-9a-f]{16}$/.test(text)
    ? Number.parseInt(text, 16)
    : /^\d{1,15}$/.test(text)
      ? Number(text)
      : Number.NaN
  if (Number.isSafeInteger(value) && value > 0) return txid(value)
  throw new MacaroondError('usage', `not a transaction number: ${text.slice(0, 80)}`, {
    hint: 'write it in decimal, or as the 16 hex digits in a position or a file name',
  })
}
