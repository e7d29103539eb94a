/**
 * The client of the discharge protocol, for the holder of a token. It fetches a discharge for every third-party caveat of the
 * token, and of the discharges themselves, several at once, and returns the bound bundle, ready to present.
 * It does not verify discharges: only the verifier of the token can.
 */
import { setTimeout } from 'node:timers/promises'
import { type Clock, systemClock } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import {
  DISCHARGE_DEPTH_MAX,
  DISCHARGE_POLL_BASE_MS,
  DISCHARGE_POLL_MS_MAX,
  DISCHARGE_REQUEST_TIMEOUT_MS,
  DISCHARGE_REQUESTS_AT_ONCE_MAX,
  DISCHARGE_TIMEOUT_MS,
  DISCHARGES_MAX,
} from '../limits.ts'
import { encodeBase64Url } from '../macaroon/base64url.ts'
import { bindDischarge } from '../macaroon/bind.ts'
import { decodeBundle, encodeBundle } from '../macaroon/bundle.ts'
import type { Caveat, Macaroon } from '../macaroon/macaroon.ts'
import { decodeTokenText } from '../macaroon/text.ts'
import { type Answered, sendRequest, invalid, unavailable } from './exchange.ts'
import { isLoopback, parseUrl } from './location.ts'
import { DISCHARGE_PATH } from './message.ts'
import { HeldDischarges } from './held-discharges.ts'
import { ThirdParties, type DischargeEndpoint } from './third-parties.ts'

export interface UserVisit {
  /** The http or https URL that a person must visit. The third party chose it, so only show it or open it. */
  readonly url: string
  /** Host of the third party. */
  readonly host: string
}

export interface DischargeClientOptions {
  /** Values of the Authorization header by host: `login.example`, `localhost:8080`, or `http://store:8080` without TLS. */
  readonly credentials?: Readonly<Record<string, string>>
  /** Hosts of third parties that need no credential. A host in neither option is never contacted. */
  readonly hosts?: readonly string[]
  /** Called if a person must visit a page first. Without it, such a discharge fails with `discharge_unavailable`. */
  readonly onUserVisit?: (visit: UserVisit) => void | Promise<void>
  /** Milliseconds for the whole bundle. Default 10 minutes. */
  readonly timeoutMs?: number
  /** Milliseconds for one request. Default 10 s. */
  readonly requestTimeoutMs?: number
  /**
   * Called before any HTTP request, for third parties that are reached in another way, such as the authority through a signer.
   * Returns the text of the discharge, or undefined to use HTTP.
   */
  readonly ask?: (question: DischargeQuestion) => Promise<string | undefined>
  readonly fetch?: typeof fetch
  readonly clock?: Clock
  /** Waits `ms` between two polls. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

export interface DischargeQuestion {
  /** Location of the caveat: a hint that no signature covers. */
  readonly location: string
  /** The ticket, base64url without padding. */
  readonly ticket: string
}

export interface DischargeClient {
  /**
   * Returns the bundle of the token with every discharge that it needs, each bound to it. Discharges in the given bundle are
   * kept if they have not expired. Throws third_party_unknown, discharge_refused, discharge_invalid, discharge_unavailable,
   * timeout, token_too_large, and the errors of reading a bundle.
   */
  readonly discharge: (bundle: string, options?: { readonly signal?: AbortSignal }) => Promise<string>
}

export function createDischargeClient(options: DischargeClientOptions = {}): DischargeClient {
  const client = new Client(options)
  return { discharge: (bundle, { signal } = {}) => client.discharge(bundle, signal) }
}

/** A discharge for one third-party caveat. */
interface Obtained {
  readonly discharge: Macaroon
  /** True if it was fetched now, so it is not bound yet. */
  readonly fresh: boolean
}

class Client {
  readonly #options: DischargeClientOptions
  readonly #thirdParties: ThirdParties
  readonly #clock: Clock

  constructor(options: DischargeClientOptions) {
    this.#options = options
    this.#thirdParties = new ThirdParties(options.credentials ?? {}, options.hosts ?? [])
    this.#clock = options.clock ?? systemClock
  }

  async discharge(bundle: string, signal?: AbortSignal): Promise<string> {
    const { timeoutMs = DISCHARGE_TIMEOUT_MS } = this.#options
    const [root, ...held] = decodeBundle(bundle)
    if (root === undefined) throw new MacaroondError('token_missing', 'there is no token')
    const timeout = AbortSignal.timeout(timeoutMs)
    // If one discharge fails, the others are cancelled, because the bundle needs all of them.
    const failed = new AbortController()
    const signals = [timeout, failed.signal, ...(signal === undefined ? [] : [signal])]
    try {
      const obtained = await this.#all(root, new HeldDischarges(held, this.#clock.wallMs()), AbortSignal.any(signals))
      return encodeBundle([root, ...obtained.map(({ discharge, fresh }) => bound(root, discharge, fresh))])
    } catch (error) {
      if (timeout.aborted)
        throw new MacaroondError('timeout', `the token was not fully discharged within ${timeoutMs} ms`)
      throw error
    } finally {
      failed.abort()
    }
  }

  /** Works breadth first: the caveats of all discharges of one level are the next level. */
  async #all(root: Macaroon, held: HeldDischarges, signal: AbortSignal): Promise<readonly Obtained[]> {
    const all: Obtained[] = []
    let caveats = thirdPartyCaveats(root)
    for (let depth = 1; caveats.length > 0; depth += 1) {
      if (depth > DISCHARGE_DEPTH_MAX || all.length + caveats.length > DISCHARGES_MAX) throw tooMany()
      const level = await mapConcurrently(caveats, DISCHARGE_REQUESTS_AT_ONCE_MAX, (caveat) =>
        this.#one(caveat, held, signal),
      )
      all.push(...level)
      caveats = level.flatMap(({ discharge }) => thirdPartyCaveats(discharge))
    }
    return all
  }

  async #one(caveat: Caveat, held: HeldDischarges, signal: AbortSignal): Promise<Obtained> {
    const kept = held.take(caveat.cid)
    if (kept !== undefined) return { discharge: kept, fresh: false }
    const { location = '' } = caveat
    const ticket = encodeBase64Url(caveat.cid)
    const answered = await this.#options.ask?.({ location, ticket })
    if (answered !== undefined) return { discharge: readDischarge(answered, caveat.cid, location), fresh: true }
    const thirdParty = this.#thirdParties.at(location)
    const text = await this.#ask(thirdParty, JSON.stringify({ ticket }), signal)
    return { discharge: readDischarge(text, caveat.cid, thirdParty.host), fresh: true }
  }

  /** The text of the discharge, from the first answer or after polling. */
  async #ask(thirdParty: DischargeEndpoint, body: string, signal: AbortSignal): Promise<string> {
    const answer = await this.#sendRequest(thirdParty, thirdParty.url, signal, body)
    if ('pending' in answer) throw unavailable(`${thirdParty.host} is busy`)
    const { discharge, poll_url, user_interactive } = answer
    if (discharge !== undefined) return discharge
    if (user_interactive !== undefined) await this.#visit(user_interactive.user_url, thirdParty)
    return this.#poll(thirdParty, pollUrl(user_interactive?.poll_url ?? poll_url ?? '', thirdParty), signal)
  }

  async #visit(userUrl: string, { host }: DischargeEndpoint): Promise<void> {
    const url = parseUrl(userUrl)
    if (url === undefined || (url.protocol !== 'https:' && !isLoopback(url) && !this.#thirdParties.names(url.origin))) {
      throw invalid(`${host} sends a person to a URL that is not https`)
    }
    const { onUserVisit } = this.#options
    if (onUserVisit === undefined)
      throw unavailable(`${host} requires a person to visit a page, and this client cannot show one`)
    await onUserVisit({ url: url.href, host })
  }

  async #poll(thirdParty: DischargeEndpoint, url: string, signal: AbortSignal): Promise<string> {
    const { wait = (ms, until) => setTimeout(ms, undefined, { signal: until }) } = this.#options
    for (let delayMs = DISCHARGE_POLL_BASE_MS; ; delayMs = Math.min(delayMs * 2, DISCHARGE_POLL_MS_MAX)) {
      const answer = await this.#sendRequest(thirdParty, url, signal)
      if (!('pending' in answer)) {
        if (answer.discharge !== undefined) return answer.discharge
        throw invalid(`${thirdParty.host} answered a poll with another request instead of a decision`)
      }
      await wait(Math.min(Math.max(delayMs, answer.retryAfterMs ?? 0), DISCHARGE_POLL_MS_MAX), signal)
      signal.throwIfAborted()
    }
  }

  #sendRequest(thirdParty: DischargeEndpoint, url: string, signal: AbortSignal, body?: string): Promise<Answered> {
    const { fetch = globalThis.fetch, requestTimeoutMs: timeoutMs = DISCHARGE_REQUEST_TIMEOUT_MS } = this.#options
    return sendRequest({ fetch, thirdParty, url, timeoutMs, signal, ...(body === undefined ? {} : { body }) })
  }
}

function bound(root: Macaroon, discharge: Macaroon, fresh: boolean): Macaroon {
  return fresh ? bindDischarge(root, discharge) : discharge
}

function thirdPartyCaveats({ caveats }: Macaroon): readonly Caveat[] {
  return caveats.filter(({ vid }) => vid !== undefined)
}

/** Checks only that the discharge bears the ticket. The verifier of the token checks its signature. */
function readDischarge(text: string, ticket: Uint8Array, who: string): Macaroon {
  const discharge = decodeTokenText(text)
  if (Buffer.compare(discharge.identifier, ticket) === 0) return discharge
  throw invalid(`${who} returned a discharge for another ticket`)
}

/** The URL must lie below the third party's own path, because polling sends the credential and trusts the answer. */
function pollUrl(text: string, { origin, path, host }: DischargeEndpoint): string {
  const url = parseUrl(text)
  if (url?.origin === origin && url.pathname.startsWith(`${path}/`)) return url.href
  throw invalid(`${host} gives a poll_url that is not below its own ${DISCHARGE_PATH}`)
}

/** All results in order, with at most `atOnceMax` calls at a time. Rejects with the first failure. */
async function mapConcurrently<T, R>(
  items: readonly T[],
  atOnceMax: number,
  call: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Map<number, R>()
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [place, item] of queue) results.set(place, await call(item))
  }
  await Promise.all(Array.from({ length: Math.min(atOnceMax, items.length) }, worker))
  return items.map((_, place) => results.get(place) as R)
}

function tooMany(): MacaroondError {
  return new MacaroondError(
    'token_too_large',
    `the token needs more than ${DISCHARGES_MAX} discharges, or discharges nested deeper than ${DISCHARGE_DEPTH_MAX}`,
  )
}
