/** A planted bug: one place of the product's source, and what a careless hand would have written there. */
export interface Mutant {
  readonly name: string
  /** From the top of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export const MUTANT_VARIABLE = 'MACAROOND_TEST_MUTANT'

/** The source with the bug in it. Throws where the place is not found exactly once: the code moved, and so must the mutant. */
export function planted(source: string, { name, file, find, replace }: Mutant): string {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`mutant "${name}": found ${parts.length - 1} times in ${file}: ${find}`)
  return parts.join(replace)
}
