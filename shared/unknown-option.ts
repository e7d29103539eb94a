/** Refuses options that a call of an SDK does not have. TypeScript sees them only in literals, and JavaScript never. */
import { MacaroondError } from './errors.ts'
import { suggest } from './suggest.ts'

/** Throws request_invalid that names the first unknown option, and the known one that is nearest to it. */
export function refuseUnknownOptions(call: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null) {
    throw new MacaroondError('request_invalid', `${call}: its options are an object`, { hint: hintFor('', known) })
  }
  for (const name in given) {
    if (!known.includes(name)) throw unknownWord(call, { kind: 'option', name, known })
  }
}

/** A word that a call does not know. `kind` says what it should be: an option, an event. */
interface UnknownWord {
  readonly kind: string
  readonly name: string
  readonly known: readonly string[]
}

export function unknownWord(call: string, { kind, name, known }: UnknownWord): MacaroondError {
  return new MacaroondError('request_invalid', `${call}: unknown ${kind} "${name}"`, { hint: hintFor(name, known) })
}

function hintFor(name: string, known: readonly string[]): string {
  const near = name === '' ? undefined : suggest(name.slice(0, 64), known)
  return near === undefined ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`
}
