/** Parses the access that a token is verified for, from `--org` and `--access key=value`. */
import { MacaroondError } from '../../shared/errors.ts'
import type { Access } from '../../shared/verifier/access.ts'

/** The access. The verifier checks keys and values, not this function. Throws usage. */
export function parseAccess(org: string, pairs: readonly string[]): Access {
  const values = parsePairs(pairs)
  if (values.has('org')) {
    throw new MacaroondError('usage', 'the org is given with --org, once', { hint: 'leave org out of --access' })
  }
  // fromEntries defines own properties: a key such as `__proto__` stays a key.
  const stated = [...values].map(([key, all]): [string, string | readonly string[]] => [key, single(all) ?? all])
  return Object.fromEntries<string | readonly string[]>([['org', org], ...stated]) as Access
}

/** The values of each key, from texts `key=value`. If a key is given twice, the token must allow both values. Throws usage. */
export function parsePairs(pairs: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, readonly string[]>()
  for (const pair of pairs) {
    const [key, value] = split(pair)
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return values
}

function single(all: readonly string[]): string | undefined {
  return all.length === 1 ? all[0] : undefined
}

function split(pair: string): [string, string] {
  const at = pair.indexOf('=')
  if (at < 1) {
    throw new MacaroondError('usage', `not key=value: ${pair.slice(0, 80)}`, { hint: 'for example --access op=read' })
  }
  return [pair.slice(0, at), pair.slice(at + 1)]
}
