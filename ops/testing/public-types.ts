/** The public types of `macaroond/testing`. `sdk.ts` exports them and creates the authority. */
import type { Signer } from '../../primary/signer/sdk.ts'
import type { CacheLimits, Verifier } from '../../replica/worker/sdk.ts'

export interface TestAuthorityOptions {
  /** Orgs to create. Default none; `signer.createOrg` creates more. */
  readonly orgs?: readonly string[] | undefined
  /** Region of the one replica, for `region` caveats. Default `test`. */
  readonly region?: string | undefined
  /** Time of the clock at the start, unix milliseconds. Default: the present time. */
  readonly startMs?: number | undefined
  /** As in `createVerifier`. Default true. */
  readonly cache?: boolean | CacheLimits | undefined
}

/** The time of the authority, its replica and its verifier. */
export interface TestClock {
  /** Unix milliseconds. */
  readonly nowMs: () => number
  /** Moves the time ahead, as if it had passed in a healthy cluster. Throws request_invalid below 0 and above 200 years. */
  readonly advance: (ms: number) => void
}

export interface TestAuthority extends AsyncDisposable {
  /** An operator's: it may act for every org. Revocations are in force when its calls resolve. */
  readonly signer: Signer
  /** A signer that may act for these orgs only, `*` for all, as `orgs` of a signer in `primary.toml`. */
  readonly signerFor: (...orgs: readonly string[]) => Signer
  /** For the service under test: what `createVerifier` returns, with its cache, its events and its health. */
  readonly verifier: Verifier
  readonly clock: TestClock
  /** Appends caveats to a token in text form, as its holder can. Throws token errors, caveat_malformed. */
  readonly attenuate: (token: string, caveats: readonly string[]) => string
  /**
   * Cuts the replica off its primary, and moves the clock by the bound (5.1 s), so that no lease is left and every verdict is
   * `unavailable`. The signer goes on: a primary takes revocations while a region is cut off.
   */
  readonly loseLease: () => void
  /** Ends the cut. Verdicts take everything into account that was revoked meanwhile. */
  readonly restoreLease: () => void
  /** Closes verifier and signers. `await using` does the same. */
  readonly close: () => Promise<void>
}
