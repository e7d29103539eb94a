/**
 * A macaroon: an identifier, a list of caveats, and the last link of the HMAC chain over them.
 *
 * Whoever holds one can append caveats, and nobody can take one away: the signature before a caveat cannot be computed
 * from the one after it. Locations are hints that no signature covers; nothing here decides by them.
 */
export interface Caveat {
  /** A predicate (first party), or the ticket for the third party. Any bytes. */
  readonly cid: Uint8Array
  /** Verifier id, 72 bytes; its presence makes this a third-party caveat. */
  readonly vid?: Uint8Array
  /** Where the third party is found; only with `vid`. Not covered by the signature. */
  readonly location?: string
}

export interface Macaroon {
  /** A hint, '' for none. Not covered by the signature. */
  readonly location: string
  readonly identifier: Uint8Array
  readonly caveats: readonly Caveat[]
  /** 32 bytes. Whoever has it can attenuate, so it is as good as the macaroon. */
  readonly signature: Uint8Array
}

/** A secret, to which libmacaroons' derivation is applied, or the 32 bytes that came out of it. */
export type RootKey = { readonly secret: Uint8Array } | { readonly derivedKey: Uint8Array }

export type MacaroonOptions = RootKey & {
  readonly identifier: Uint8Array | string
  /** Default ''. */
  readonly location?: string
}
