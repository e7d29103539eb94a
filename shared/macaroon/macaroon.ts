/**
 * The macaroon as a value: an identifier, a list of caveats, and the last link of the HMAC chain over them.
 *
 * Any holder can append caveats, and nobody can remove one, because the signature before a caveat cannot be computed from
 * the one after it. Locations are hints that no signature covers, and no decision depends on them.
 */
export interface Caveat {
  /** The predicate of a first-party caveat, or the ticket of a third-party caveat. Any bytes. */
  readonly cid: Uint8Array
  /** The verifier id, 72 bytes. Its presence makes this a third-party caveat. */
  readonly vid?: Uint8Array
  /** Address of the third party; only with `vid`. The signature does not cover it. */
  readonly location?: string
}

export interface Macaroon {
  /** A hint, '' for none. The signature does not cover it. */
  readonly location: string
  readonly identifier: Uint8Array
  readonly caveats: readonly Caveat[]
  /** 32 bytes, secret: anybody who knows it can use and attenuate the macaroon. */
  readonly signature: Uint8Array
}

/** A secret of any length, to which libmacaroons' derivation is applied, or the 32 bytes that the derivation returned. */
export type RootKey = { readonly secret: Uint8Array } | { readonly derivedKey: Uint8Array }

export type MacaroonOptions = RootKey & {
  readonly identifier: Uint8Array | string
  /** Default ''. */
  readonly location?: string
}
