/** The kinds of compiled predicates. A compiled predicate is a value that is cheap to judge many times. */
import type { Kid, Nonce, TokenId } from '../../ids.ts'
import type { AskedValue } from './asked-value.ts'
import type { TimePredicate } from './time.ts'

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
