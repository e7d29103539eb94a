/** A planted bug: one line of the product's source, and a plausible mistake that replaces it. */
export interface Mutant {
  readonly name: string
  /** The one of those that must be found. */
  readonly shows?: MustBeFound
  /** From the top of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
}

/** Bugs of leases, of caches and of what is durable: each is planted somewhere, and found. */
export const MUST_BE_FOUND = [
  'answer in flight cached after its revocation',
  'grants forgotten by a primary restart',
  'wall-clock jump that expires grants at the grantor',
  'lease from receipt time',
  'no second check after computing',
  'wall clock only',
  'acknowledged before fsync',
  'feed gap ignored',
  'cache not dropped',
  'subject cut-off compared wrongly',
  'push treated as lease',
  'worker lease not reduced by the age of the replica’s',
] as const
export type MustBeFound = (typeof MUST_BE_FOUND)[number]

export const MUTANT_VARIABLE = 'MACAROOND_TEST_MUTANT'

/** The source with the bug in it. Throws where the place is not found exactly once: the code moved, and so must the mutant. */
export function planted(source: string, { name, file, find, replace }: Mutant): string {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`mutant "${name}": found ${parts.length - 1} times in ${file}: ${find}`)
  return parts.join(replace)
}
