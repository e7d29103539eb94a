/** The kinds of compiled predicates. A compiled predicate is a value that is cheap to judge many times. */
import type { Kid, Nonce, TokenId } from '../../ids.ts'
import type { AskedValue } from './asked-value.ts'

/** A predicate on a value of the access (`op`, `path`, `ip` …). */
export interface ValuePredicate {
  readonly kind: 'value'
  readonly key: string
  /** True if written `key?`: the predicate then applies only to an access that has the key. */
  readonly conditional: boolean
  /** The condition as text, for the refusal: `op in read,write`. */
  readonly wanted: string
  /** Judges ONE value. If the access has several values for the key, every one must be allowed. */
  readonly allows: (value: AskedValue) => boolean
}

export interface TimePredicate {
  readonly kind: 'time'
  /** An upper bound is compared with the latest credible time, a lower bound with the earliest (S13 in ARCHITECTURE.md). */
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

/** A holder's note, for example on whom it passed the token to. It always clears, and the verdict reports it. */
export interface NotePredicate {
  readonly kind: 'note'
  readonly text: string
}

/** In a discharge: a token that was presented to the third party. It always clears, and the verdict reports it. */
export interface PresentedPredicate {
  readonly kind: 'presented'
  readonly id: TokenId
}

/** Requires that a token of this authority is not revoked. */
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

/** A text that is not a known predicate. It refuses every access, because the verifier cannot judge what it restricts. */
export interface UnknownPredicate {
  readonly kind: 'unknown'
  /** The form that would have been understood. */
  readonly wanted: string
}

export function unknown(wanted: string): UnknownPredicate {
  return { kind: 'unknown', wanted }
}
