/** The predicate that stands for every text that is not understood. */

/** A text that is not a known predicate. It refuses every access, because the verifier cannot judge what it restricts. */
export interface UnknownPredicate {
  readonly kind: 'unknown'
  /** The form that would have been understood. */
  readonly wanted: string
}

export function unknown(wanted: string): UnknownPredicate {
  return { kind: 'unknown', wanted }
}
