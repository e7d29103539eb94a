/**
 * The server of the discharge protocol, for a third party: a fetch-style handler, `(Request) => Promise<Response>`. It opens
 * tickets, lets the application decide on their conditions, and issues discharges. It serves the paths of PROTOCOL.md below
 * one location.
 */
import { type Clock, type Entropy, systemClock, systemEntropy } from '../clock.ts'
import { randomSecret, sha256 } from '../crypto.ts'
import { assert, MacaroondError } from '../errors.ts'
import {
  DISCHARGE_FLOW_TTL_MS,
  DISCHARGE_KEYS_MAX,
  DISCHARGE_REQUEST_BYTES_MAX,
  ERROR_TEXT_CHARS_MAX,
} from '../limits.ts'
import { decodeBase64Url, encodeBase64Url } from '../macaroon/base64url.ts'
import { encodeTokenText } from '../macaroon/text.ts'
import { createDischarge } from '../macaroon/third-party.ts'
import { openTicket, type Ticket, type TicketKey } from '../macaroon/ticket.ts'
import { readBody } from './bounded-body.ts'
import { type FlowOutcome, type FlowStore, MemoryFlowStore } from './flow-store.ts'
import { type Endpoint, endpointOf } from './location.ts'
import { type DischargeAnswer, POLL_PATH, readRequest } from './message.ts'

/** The application's decision on a condition. */
export type DischargeDecision =
  | FlowOutcome
  /** Not decided yet. The holder polls until the application calls `settle`. */
  | { readonly poll: true }
  /** A person must visit this URL first, for example to log in; then call `settle`. The URL should contain the flow. */
  | { readonly userUrl: string }

export interface DischargerOptions {
  /** The location that caveats name for this third party. The handler serves the paths below it. */
  readonly location: string
  /** Keys that open tickets: several while one is being replaced. */
  readonly keys: readonly TicketKey[]
  /**
   * Decides on a condition. `request` has the holder's credential; its body has been read. `flow` identifies this request for
   * `settle`. It is a secret, because a caller that knows it can decide.
   */
  readonly check: (condition: string, request: Request, flow: string) => DischargeDecision | Promise<DischargeDecision>
  /** Default: the memory of this process. */
  readonly store?: FlowStore
  /** Milliseconds that a flow may wait for its decision, and the decision for the holder. Default 10 minutes. */
  readonly flowTtlMs?: number
  /** Called with every error of `check` or the store. The holder only gets status 500 with code `internal`. */
  readonly onError?: (error: unknown) => void
  readonly clock?: Clock
  readonly entropy?: Entropy
}

export interface Discharger {
  readonly handle: (request: Request) => Promise<Response>
  /** Decides a flow that `check` left open. False if it is unknown, expired, or already decided. */
  readonly settle: (flow: string, outcome: FlowOutcome) => Promise<boolean>
}

/** Creates the handler. Throws config_invalid for a wrong location or number of keys. */
export function createDischarger(options: DischargerOptions): Discharger {
  const endpoint = endpointOf(options.location)
  if (endpoint === undefined) {
    throw new MacaroondError('config_invalid', 'the location of a discharger is an http or https URL without a query')
  }
  const count = options.keys.length
  if (count === 0 || count > DISCHARGE_KEYS_MAX) {
    throw new MacaroondError('config_invalid', `a discharger has 1 to ${DISCHARGE_KEYS_MAX} keys, not ${count}`)
  }
  const handler = new DischargeHandler(options, endpoint)
  return {
    handle: (request) => handler.handle(request),
    settle: (flow, outcome) => handler.settle(flow, outcome),
  }
}

class DischargeHandler {
  readonly #options: DischargerOptions
  readonly #endpoint: Endpoint
  readonly #store: FlowStore
  readonly #clock: Clock
  readonly #entropy: Entropy

  constructor(options: DischargerOptions, endpoint: Endpoint) {
    this.#options = options
    this.#endpoint = endpoint
    this.#store = options.store ?? new MemoryFlowStore()
    this.#clock = options.clock ?? systemClock
    this.#entropy = options.entropy ?? systemEntropy
  }

  async handle(request: Request): Promise<Response> {
    try {
      return await this.#route(request)
    } catch (error) {
      this.#options.onError?.(error)
      return failure(500, 'internal', 'the third party failed; try again later')
    }
  }

  settle(flow: string, outcome: FlowOutcome): Promise<boolean> {
    return this.#store.settle(hashOf(flow), outcome, this.#clock.wallMs())
  }

  async #route(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const { path } = this.#endpoint
    if (pathname === path) {
      return request.method === 'POST' ? this.#ask(request) : methodNotAllowed('POST')
    }
    const secret = pathname.startsWith(path + POLL_PATH) ? pathname.slice(path.length + POLL_PATH.length) : ''
    if (secret === '') return failure(404, 'not_found', 'there is nothing at this path')
    return request.method === 'GET' ? this.#poll(secret) : methodNotAllowed('GET')
  }

  /** Handles a request for a discharge. */
  async #ask(request: Request): Promise<Response> {
    // A page of another site can send other content types without a CORS preflight, with its visitor's credentials.
    if (!/^application\/json\s*(?:;|$)/i.test(request.headers.get('content-type') ?? '')) {
      return failure(415, 'request_invalid', 'the request must be application/json')
    }
    const body = await readBody(request, DISCHARGE_REQUEST_BYTES_MAX)
    if (typeof body !== 'string') {
      return body.fault === 'too_large'
        ? failure(413, 'request_invalid', `a request has at most ${DISCHARGE_REQUEST_BYTES_MAX} bytes`)
        : failure(400, 'request_invalid', 'the request is not UTF-8')
    }
    const read = readRequest(body)
    if (read === undefined) return failure(400, 'request_invalid', 'the request must be {"ticket": base64url}')
    return this.#decide(read.ticket, request)
  }

  async #decide(ticket: Uint8Array, request: Request): Promise<Response> {
    const opened = this.#open(ticket)
    if (opened instanceof MacaroondError) return failure(400, opened.code, opened.message)
    const flow = this.#secret()
    const decision = await this.#options.check(opened.condition, request, flow)
    if ('caveats' in decision || 'refused' in decision) return this.#answer(ticket, opened, decision)
    return this.#leaveOpen(ticket, flow, 'userUrl' in decision ? decision.userUrl : undefined)
  }

  /** Stores the flow and answers with the URL to poll. Only hashes of both secrets are stored. */
  async #leaveOpen(ticket: Uint8Array, flow: string, userUrl: string | undefined): Promise<Response> {
    const { flowTtlMs = DISCHARGE_FLOW_TTL_MS } = this.#options
    const poll = this.#secret()
    const nowMs = this.#clock.wallMs()
    const added = await this.#store.add(
      {
        flowHash: hashOf(flow),
        pollHash: hashOf(poll),
        ticket: encodeBase64Url(ticket),
        expiresAtMs: nowMs + flowTtlMs,
      },
      nowMs,
    )
    if (!added) return failure(503, 'overloaded', 'too many requests are undecided; try again later')
    // Built from the configured location, because the client chooses the Host header.
    const poll_url = this.#endpoint.url + POLL_PATH + poll
    return answer(202, userUrl === undefined ? { poll_url } : { user_interactive: { user_url: userUrl, poll_url } })
  }

  /** Handles a poll. The ticket is opened again, because the store holds no caveat key. */
  async #poll(secret: string): Promise<Response> {
    const flow = await this.#store.take(hashOf(secret), this.#clock.wallMs())
    if (flow === undefined)
      return failure(404, 'not_found', 'this request is not pending: it was answered, or it expired')
    if (flow === 'pending') return new Response('{}', { status: 202, headers: { ...HEADERS, 'retry-after': '1' } })
    const ticket = decodeBase64Url(flow.ticket)
    assert(ticket !== undefined, 'a store gives back what it was given')
    const opened = this.#open(ticket)
    if (opened instanceof MacaroondError)
      return failure(403, opened.code, 'the key of the ticket was removed meanwhile')
    return this.#answer(ticket, opened, flow.outcome)
  }

  #answer(ticket: Uint8Array, { caveatKey }: Ticket, outcome: FlowOutcome): Response {
    if ('refused' in outcome) return failure(403, 'discharge_refused', outcome.refused.slice(0, ERROR_TEXT_CHARS_MAX))
    const { location } = this.#options
    const discharge = createDischarge({ ticket, caveatKey, location, caveats: outcome.caveats })
    return answer(200, { discharge: encodeTokenText(discharge) })
  }

  #open(ticket: Uint8Array): Ticket | MacaroondError {
    try {
      return openTicket(ticket, this.#options.keys)
    } catch (error) {
      if (error instanceof MacaroondError && error.code !== 'key_malformed') return error
      throw error
    }
  }

  #secret(): string {
    return encodeBase64Url(randomSecret(this.#entropy))
  }
}

/** A discharge is a secret: no cache may store it, and no browser may interpret it as a page. */
const HEADERS = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

function answer(status: number, body: DischargeAnswer): Response {
  return new Response(JSON.stringify(body), { status, headers: HEADERS })
}

function failure(status: number, code: string, message: string): Response {
  return answer(status, { error: { code, message } })
}

function methodNotAllowed(allow: string): Response {
  const body = JSON.stringify({ error: { code: 'request_invalid', message: `this path accepts only ${allow}` } })
  return new Response(body, { status: 405, headers: { ...HEADERS, allow } })
}

function hashOf(secret: string): string {
  return sha256(Buffer.from(secret)).toString('hex')
}
