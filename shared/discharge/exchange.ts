/** One HTTP request to a third party: bounded in time and size, without redirects, with the credential of its host. */
import { MacaroondError } from '../errors.ts'
import { DISCHARGE_RESPONSE_BYTES_MAX } from '../limits.ts'
import { readBody } from './bounded-body.ts'
import { type DischargeAnswer, readAnswer } from './message.ts'
import type { DischargeEndpoint } from './third-parties.ts'

export interface Exchange {
  readonly fetch: typeof fetch
  readonly thirdParty: DischargeEndpoint
  readonly url: string
  /** JSON for a POST. Without it the request is a GET. */
  readonly body?: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** `pending`: not decided yet, or the third party is busy. `retryAfterMs` is its `retry-after`, if it sent one. */
export type Answered = DischargeAnswer | { readonly pending: true; readonly retryAfterMs: number | undefined }

/** Throws discharge_refused, discharge_unavailable, discharge_invalid, timeout. */
export async function sendRequest(call: Exchange): Promise<Answered> {
  const { thirdParty, signal, timeoutMs } = call
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await answered(call, AbortSignal.any([signal, timeout]))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof MacaroondError) throw error
    if (timeout.aborted) throw unavailable(`${thirdParty.host} did not answer within ${timeoutMs} ms`)
    throw unavailable(`${thirdParty.host} cannot be reached`, error)
  }
}

async function answered({ fetch, thirdParty, url, body }: Exchange, signal: AbortSignal): Promise<Answered> {
  const { host, credential } = thirdParty
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body }),
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(credential === undefined ? {} : { authorization: credential }),
    },
    // A redirect would send the ticket to another host, and some fetch implementations would send the credential too.
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    referrerPolicy: 'no-referrer',
    signal,
  })
  const text = await readBody(response, DISCHARGE_RESPONSE_BYTES_MAX)
  const { status } = response
  if (response.redirected || response.type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    throw invalid(`${host} answers with a redirect, which clients must not follow`)
  }
  if (typeof text !== 'string') throw invalid(`the answer of ${host} is too large, or not UTF-8`)
  const answer = readAnswer(text)
  if (status === 429 || status >= 500) return busy(response)
  if (answer?.error !== undefined || status >= 400) throw refusal(host, status, answer)
  if (answer !== undefined) return answer
  if (status === 202) return busy(response)
  throw invalid(`the answer of ${host} does not match the protocol`)
}

function busy(response: Response): Answered {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return { pending: true, retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined }
}

/** Shows the message of the third party, without characters that could control a terminal. */
function refusal(host: string, status: number, answer: DischargeAnswer | undefined): MacaroondError {
  const said = answer?.error?.message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200)
  const why = said === undefined ? `status ${status}` : `"${said}"`
  return new MacaroondError('discharge_refused', `${host} refuses the discharge: ${why}`, {
    hint: 'check the credential for this host, and whether it satisfies the condition in the ticket',
  })
}

export function invalid(why: string): MacaroondError {
  return new MacaroondError('discharge_invalid', why, { hint: 'check that the third party speaks this protocol' })
}

export function unavailable(why: string, cause?: unknown): MacaroondError {
  return new MacaroondError('discharge_unavailable', why, {
    hint: 'try again later',
    ...(cause === undefined ? {} : { cause }),
  })
}
