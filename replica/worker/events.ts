/** The events of a verifier. They tell a service about its connection; a verdict never depends on them. */
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Kid, type Nonce, tokenId } from '../../shared/ids.ts'
import type { ServiceLogger } from '../../shared/service-logger.ts'
import { unknownWord } from '../../shared/unknown-option.ts'
import type { RevocationRow } from '../../shared/verifier/revocation-row.ts'

/** A revocation, with the names and kinds of `macaroond/signer`. `seq` is its number, as in the answer of `revoke`. */
export type RevokedEvent = { readonly seq: number } & (
  | { readonly kind: 'token'; readonly id: string }
  | { readonly kind: 'subject'; readonly org: string; readonly subject: string; readonly issuedUpToMs: number }
  | { readonly kind: 'org'; readonly org: string; readonly issuedUpToMs: number }
  | { readonly kind: 'key'; readonly org: string; readonly kid: string }
  | { readonly kind: 'org_disabled'; readonly org: string }
)

/** Each event with the value that its listeners receive. With `cache: false` only `replicaChanged` occurs. */
export interface VerifierEvents {
  /** The lease has ended, and the cache is empty. Verifications now need a replica that can judge. */
  readonly leaseLost: { readonly atMs: number }
  /** The cache has a lease, for the first time or again. `atMs` is in unix milliseconds. */
  readonly leaseBack: { readonly atMs: number }
  /**
   * A revocation has reached this process, and the cache is rid of what it denies. It is not a log: revocations from before a
   * connection, or during a gap in it, are enforced without an event.
   */
  readonly revoked: RevokedEvent
  /** Verifications now go to another replica. Null means that none is connected. */
  readonly replicaChanged: { readonly from: NodeAddress | null; readonly to: NodeAddress | null }
}

export type VerifierEventName = keyof VerifierEvents

type Listener = (event: never) => unknown

const NAMES: readonly VerifierEventName[] = ['leaseLost', 'leaseBack', 'revoked', 'replicaChanged']

/** Calls listeners after the present work, so that a listener can neither interrupt the verifier nor break it by an error. */
export class Listeners {
  readonly #listeners = new Map<VerifierEventName, Set<Listener>>()
  readonly #logger: ServiceLogger

  constructor(logger: ServiceLogger) {
    this.#logger = logger
  }

  /** Returns the function that removes the listener. Throws request_invalid. */
  add<Name extends VerifierEventName>(name: Name, listener: (event: VerifierEvents[Name]) => unknown): () => void {
    if (!NAMES.includes(name)) throw unknownWord('on', { kind: 'event', name: String(name), known: NAMES })
    if (typeof listener !== 'function') throw new MacaroondError('request_invalid', 'on: a listener is a function')
    // A listener that is added twice is called twice.
    const own: Listener = (event) => listener(event)
    const all = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, all.add(own))
    return () => void all.delete(own)
  }

  emit<Name extends VerifierEventName>(name: Name, event: VerifierEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) this.call(name, () => listener(event as never))
  }

  /** Calls a function of the service. Its error, or its rejection, is logged. */
  call(what: string, listener: () => unknown): void {
    const failed = (error: unknown): void =>
      this.#logger.error({ listener: what, reason: error instanceof Error ? error.message : 'unknown' }, FAILED)
    queueMicrotask(() => {
      try {
        const result = listener()
        if (result instanceof Promise) result.catch(failed)
      } catch (error) {
        failed(error)
      }
    })
  }
}

const FAILED = 'a listener of the verifier failed'

/** Undefined for a kind of revocation that only a newer version knows. */
export function revokedEventOf(row: RevocationRow): RevokedEvent | undefined {
  const { seq } = row
  switch (row.kind) {
    case 'token':
      return { seq, kind: 'token', id: tokenId(row.kid as Kid, row.nonce as Nonce) }
    case 'subject':
      return { seq, kind: 'subject', org: row.org, subject: row.subject, issuedUpToMs: row.untilMs }
    case 'org':
      return { seq, kind: 'org', org: row.org, issuedUpToMs: row.untilMs }
    case 'key':
      return { seq, kind: 'key', org: row.org, kid: row.kid }
    case 'org_disabled':
      return { seq, kind: 'org_disabled', org: row.org }
    case 'unknown':
      return undefined
  }
}
