/**
 * Turns a verdict into an HTTP answer, by RFC 6750 section 3: 401 `invalid_token` for an invalid token, and 403
 * `insufficient_scope` for one that does not allow the request. `unavailable` is 503, never 401, because clients throw
 * good tokens away on 401. A malformed access is 500, because the service made it.
 */
import type { RefusalReason, Verdict } from '../../shared/verifier/verdict.ts'

export interface HttpAnswer {
  readonly status: 200 | 401 | 403 | 500 | 503
  /** Names are in lower case. `cache-control` is always present, because an answer in a proxy would outlive a revocation. */
  readonly headers: Readonly<Record<string, string>>
}

export interface HttpAnswerOptions {
  /** Protection space (RFC 9110 section 11.5), printable ASCII. Default: none. */
  readonly realm?: string
}

const RETRY_AFTER_SECONDS = '1'

/** Status of the reasons that do not make the token invalid. Every other reason is 401 `invalid_token`. */
const STATUS_OF_REASON: Readonly<Partial<Record<RefusalReason, HttpAnswer['status']>>> = {
  unavailable: 503,
  org_missing: 500,
  access_malformed: 500,
  org_mismatch: 403,
  caveat_refused: 403,
  discharge_missing: 403,
  // Nothing was found wrong with the token: the access has too many values for its caveats, or the bundle too many discharges.
  // A new token, which 401 asks for, would not help; a smaller request or a token with fewer restrictions does. The request is
  // well-formed, so it is not the 400 `invalid_request` of that section either.
  work_exceeded: 403,
}

/** The answer for a verdict. Undefined means that the request had no token. */
export function httpAnswer(verdict: Verdict | undefined, { realm }: HttpAnswerOptions = {}): HttpAnswer {
  const status = verdict === undefined ? 401 : verdict.ok ? 200 : (STATUS_OF_REASON[verdict.reason] ?? 401)
  return { status, headers: { 'cache-control': 'no-store', ...headersFor(status, verdict === undefined, realm) } }
}

/** RFC 6750 section 3.1: the challenge has no error code if the request had no credential. */
function headersFor(status: HttpAnswer['status'], missing: boolean, realm: string | undefined): Record<string, string> {
  if (status === 503) return { 'retry-after': RETRY_AFTER_SECONDS }
  if (status !== 401 && status !== 403) return {}
  const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
  const parameters = [
    ...(realm === undefined ? [] : [`realm=${quoted(realm)}`]),
    ...(missing ? [] : [`error="${error}"`]),
  ]
  return { 'www-authenticate': ['Bearer', parameters.join(', ')].join(' ').trimEnd() }
}

/** A quoted string (RFC 9110 section 5.6.4), without the characters that a header must not contain. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`
}

type HeaderValues = { readonly [name: string]: string | readonly string[] | undefined }

/**
 * The token of an `Authorization: Bearer` header (RFC 6750 section 2.1), without white space around it. Accepts Node's headers
 * or a `Headers`. Undefined if there is no such header, or more than one, because two tokens would be ambiguous.
 */
export function bearerToken(
  headers: HeaderValues | { readonly get: (name: string) => string | null },
): string | undefined {
  const value = isHeaders(headers) ? headers.get('authorization') : headers['authorization']
  if (typeof value !== 'string') return undefined
  return /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(value)?.[1]
}

function isHeaders(headers: object): headers is { readonly get: (name: string) => string | null } {
  return 'get' in headers && typeof headers.get === 'function'
}
