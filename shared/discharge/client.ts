/**
 * The holder's side: takes a token, gets a discharge for every third-party caveat of it and of the discharges
 * themselves, several at once, and gives back the bundle, bound and ready to present.
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
  /** Where a person is to go, an http or https URL. Its third party chose it: show it, or open it, nothing else. */
  readonly url: string
  /** Host of the third party. */
  readonly host: string
}

export interface DischargeClientOptions {
  /** Values of the Authorization header by host: `login.example`, `localhost:8080`, or `http://store:8080` without TLS. */
  readonly credentials?: Readonly<Record<string, string>>
  /** Third parties that are asked without a credential. */
  readonly hosts?: readonly string[]
  /** Called where a person has to go somewhere first. Without it such a discharge is not to be had. */
  readonly onUserVisit?: (visit: UserVisit) => void | Promise<void>
  /** For the whole bundle. Default 10 minutes. */
  readonly timeoutMs?: number
  /** For one request. Default 10 s. */
  readonly requestTimeoutMs?: number
  /**
   * Asked before HTTP is: the text of the discharge, or undefined for a third party that it knows nothing of. For those
   * that are reached otherwise, such as the authority itself through a signer.
   */
  readonly ask?: (question: DischargeQuestion) => Promise<string | undefined>
  readonly fetch?: typeof fetch
  readonly clock?: Clock
  /** Waits between two polls. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

export interface DischargeQuestion {
  /** As the caveat says it: a hint that no signature covers. */
  readonly location: string
  /** Base64url without padding. */
  readonly ticket: string
}

export interface DischargeClient {
  /**
   * The bundle of this token with every discharge it needs, each bound to it. Discharges that come along are kept as
   * long as their time lasts. Throws third_party_unknown, discharge_refused, discharge_invalid,
   * discharge_unavailable, timeout, token_too_large, and what reading a bundle throws.
   */
  readonly discharge: (bundle: string, options?: { readonly signal?: AbortSignal }) => Promise<string>
}

export function createDischargeClient(options: DischargeClientOptions = {}): DischargeClient {
  const client = new Client(options)
  return { discharge: (bundle, { signal } = {}) => client.discharge(bundle, signal) }
}

/** A third-party caveat, and the discharge that was had for it. */
interface Obtained {
  readonly discharge: Macaroon
  /** False for one that was bound to the token already. */
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
    // One that fails ends the others: without it they are of no use.
    const failed = new AbortController()
    const signals = [timeout, failed.signal, ...(signal === undefined ? [] : [signal])]
    try {
      const obtained = await this.#all(root, new HeldDischarges(held, this.#clock.wallMs()), AbortSignal.any(signals))
      return encodeBundle([root, ...obtained.map(({ discharge, fresh }) => bound(root, discharge, fresh))])
    } catch (error) {
      if (timeout.aborted) throw new MacaroondError('timeout', `not everything was discharged in ${timeoutMs} ms`)
      throw error
    } finally {
      failed.abort()
    }
  }

  /** Breadth first: what the discharges of one level need is the next level. */
  async #all(root: Macaroon, held: HeldDischarges, signal: AbortSignal): Promise<readonly Obtained[]> {
    const all: Obtained[] = []
    let caveats = thirdPartyCaveats(root)
    for (let depth = 1; caveats.length > 0; depth += 1) {
      if (depth > DISCHARGE_DEPTH_MAX || all.length + caveats.length > DISCHARGES_MAX) throw tooMany()
      const level = await atOnce(caveats, DISCHARGE_REQUESTS_AT_ONCE_MAX, (caveat) => this.#one(caveat, held, signal))
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
    const told = await this.#options.ask?.({ location, ticket })
    if (told !== undefined) return { discharge: readDischarge(told, caveat.cid, location), fresh: true }
    const thirdParty = this.#thirdParties.at(location)
    const text = await this.#ask(thirdParty, JSON.stringify({ ticket }), signal)
    return { discharge: readDischarge(text, caveat.cid, thirdParty.host), fresh: true }
  }

  /** The text of the discharge, at once or after polling. */
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
      throw invalid(`${host} wants a person to go where nobody should be sent`)
    }
    const { onUserVisit } = this.#options
    if (onUserVisit === undefined) throw unavailable(`${host} wants a person to go somewhere, and there is none`)
    await onUserVisit({ url: url.href, host })
  }

  async #poll(thirdParty: DischargeEndpoint, url: string, signal: AbortSignal): Promise<string> {
    const { wait = (ms, until) => setTimeout(ms, undefined, { signal: until }) } = this.#options
    for (let delayMs = DISCHARGE_POLL_BASE_MS; ; delayMs = Math.min(delayMs * 2, DISCHARGE_POLL_MS_MAX)) {
      const answer = await this.#sendRequest(thirdParty, url, signal)
      if (!('pending' in answer)) {
        if (answer.discharge !== undefined) return answer.discharge
        throw invalid(`${thirdParty.host} answers a poll with another question`)
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

/** Whether it is signed with the right key only the verifier of the token can say. */
function readDischarge(text: string, ticket: Uint8Array, who: string): Macaroon {
  const discharge = decodeTokenText(text)
  if (Buffer.compare(discharge.identifier, ticket) === 0) return discharge
  throw invalid(`${who} gives a discharge for another ticket`)
}

/** Below the path of the third party itself: elsewhere the credential and the answer would be another's. */
function pollUrl(text: string, { origin, path, host }: DischargeEndpoint): string {
  const url = parseUrl(text)
  if (url?.origin === origin && url.pathname.startsWith(`${path}/`)) return url.href
  throw invalid(`${host} wants to be polled at another place than behind its own ${DISCHARGE_PATH}`)
}

/** All results, in order, with at most `atOnceMax` calls under way; the first failure is the failure of all. */
async function atOnce<T, R>(items: readonly T[], atOnceMax: number, call: (item: T) => Promise<R>): Promise<R[]> {
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
    `the token needs more than ${DISCHARGES_MAX} discharges, or more than ${DISCHARGE_DEPTH_MAX} behind one another`,
  )
}
