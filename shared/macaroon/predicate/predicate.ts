/** A caveat's predicate, compiled: what it asks of an access, in a form that is cheap to judge again and again. */
import type { Kid, Nonce, TokenId } from '../../ids.ts'

/** A predicate on a value of the access (`op`, `path`, `ip` …). */
export interface ValuePredicate {
  readonly kind: 'value'
  readonly key: string
  /** `key?`: applies only where the access mentions the key. */
  readonly conditional: boolean
  /** What it wants, for the refusal: "op to be one of read, write". */
  readonly wanted: string
  /** Judges ONE value; an access that asks for several needs every one of them allowed. */
  readonly allows: (value: string) => boolean
}

export interface TimePredicate {
  readonly kind: 'time'
  /** An upper bound is judged by the latest credible time, a lower one by the earliest (S13 in ARCHITECTURE.md). */
  readonly bound: 'upper' | 'lower'
  readonly inclusive: boolean
  /** Unix milliseconds, possibly with a fraction. */
  readonly instantMs: number
  readonly wanted: string
}

export interface StalenessPredicate {
  readonly kind: 'staleness'
  readonly limitMs: number
  readonly inclusive: boolean
  readonly wanted: string
}

/** A holder's remark on whom it passed the token to: always clears, and is reported. */
export interface NotePredicate {
  readonly kind: 'note'
  readonly text: string
}

/** In a discharge: a token that was presented to the third party. Always clears, and is reported. */
export interface PresentedPredicate {
  readonly kind: 'presented'
  readonly id: TokenId
}

/** Asks that a token of this authority still stands. */
export interface UnrevokedPredicate {
  readonly kind: 'unrevoked'
  readonly kid: Kid
  readonly nonce: Nonce
  readonly wanted: string
}

export type Predicate =
  | ValuePredicate
  | TimePredicate
  | StalenessPredicate
  | NotePredicate
  | PresentedPredicate
  | UnrevokedPredicate

/** A text that is no predicate known here. It refuses: nobody can say what its author meant to forbid. */
export interface UnknownPredicate {
  readonly kind: 'unknown'
  /** What would have been understood. */
  readonly wanted: string
}

export function unknown(wanted: string): UnknownPredicate {
  return { kind: 'unknown', wanted }
}
