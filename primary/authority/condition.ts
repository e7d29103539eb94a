/**
 * Parses the condition in a ticket for the authority: `may key=value&key=value`, encoded like the query of a URL. It names the
 * access that the presented tokens must allow. It never names the org: that comes from the tokens.
 */
import { MacaroondError } from '../../shared/errors.ts'

const VERB = 'may '

/** Values by key, in order. A key given twice requires both values. Throws discharge_refused. */
export function parseCondition(condition: string): ReadonlyMap<string, readonly string[]> {
  if (!condition.startsWith(VERB)) throw notUnderstood('it does not begin with `may `')
  const values = new Map<string, readonly string[]>()
  for (const pair of condition.slice(VERB.length).split('&')) {
    const at = pair.indexOf('=')
    const [key, value] = at < 1 ? [] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))]
    if (key === undefined || value === undefined) throw notUnderstood('it is not made of key=value')
    // The presented tokens decide the org. A condition that could name it would let one tenant reach another's data.
    if (key === 'org') throw notUnderstood('it names an org')
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return values
}

/** Undefined if a character should have been percent-encoded: a guess at its meaning could turn one value into another. */
function decoded(text: string): string | undefined {
  if (!/^(?:[A-Za-z0-9._~:/,@*!-]|%[0-9A-Fa-f]{2})*$/.test(text)) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function notUnderstood(why: string): MacaroondError {
  return new MacaroondError('discharge_refused', `the condition of the ticket is not understood: ${why}`, {
    hint: 'a condition for this authority reads `may op=read&kind=secret`',
  })
}
