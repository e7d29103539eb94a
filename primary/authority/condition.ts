/**
 * What tickets for the authority may ask it to confirm: `may key=value&key=value`, in the form of a URL's query. It says
 * which access the presented tokens must allow; whose org that is in, the tokens themselves say.
 */
import { MacaroondError } from '../../shared/errors.ts'

const VERB = 'may '

/** The values by key, in their order; a key given twice asks for both values at once. Throws discharge_refused. */
export function parseCondition(condition: string): ReadonlyMap<string, readonly string[]> {
  if (!condition.startsWith(VERB)) throw notUnderstood('it does not begin with `may `')
  const values = new Map<string, readonly string[]>()
  for (const pair of condition.slice(VERB.length).split('&')) {
    const at = pair.indexOf('=')
    const [key, value] = at < 1 ? [] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))]
    if (key === undefined || value === undefined) throw notUnderstood('it is not made of key=value')
    // Whose org it is, is for the presented tokens to say: that is what keeps tenants apart.
    if (key === 'org') throw notUnderstood('it names an org')
    values.set(key, [...(values.get(key) ?? []), value])
  }
  return values
}

/** Strict: a sign that was not decoded would make another value of it. */
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
