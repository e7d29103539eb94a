/**
 * A verdict as an HTTP answer, by RFC 6750 section 3: 401 `invalid_token` for a token that is no good, 403
 * `insufficient_scope` for a good one that does not allow this request. No verdict is 503, never 401: clients throw good
 * tokens away on 401. A request that the service itself stated wrongly is 500.
 */
import type { RefusalReason, Verdict } from '../../shared/verifier/verdict.ts'

export interface HttpAnswer {
  readonly status: 200 | 401 | 403 | 500 | 503
  /** Lower-case names. `cache-control` is always there: an answer that a proxy kept would outlive a revocation. */
  readonly headers: Readonly<Record<string, string>>
}

export interface HttpAnswerOptions {
  /** Protection space (RFC 9110 section 11.5); default: none. Printable ASCII. */
  readonly realm?: string
}

const RETRY_AFTER_SECONDS = '1'

/** Refusals that are not the token's fault, by their reason; every other one is `invalid_token`. */
const ELSEWHERE: Readonly<Partial<Record<RefusalReason, HttpAnswer['status']>>> = {
  unavailable: 503,
  org_missing: 500,
  access_malformed: 500,
  org_mismatch: 403,
  caveat_refused: 403,
  discharge_missing: 403,
}

/** Undefined stands for a request without a token. */
export function httpAnswer(verdict: Verdict | undefined, { realm }: HttpAnswerOptions = {}): HttpAnswer {
  const status = verdict === undefined ? 401 : verdict.ok ? 200 : (ELSEWHERE[verdict.reason] ?? 401)
  return { status, headers: { 'cache-control': 'no-store', ...extra(status, verdict === undefined, realm) } }
}

/** RFC 6750 section 3.1: no error code where no credential came. */
function extra(status: HttpAnswer['status'], missing: boolean, realm: string | undefined): Record<string, string> {
  if (status === 503) return { 'retry-after': RETRY_AFTER_SECONDS }
  if (status !== 401 && status !== 403) return {}
  const error = status === 401 ? 'invalid_token' : 'insufficient_scope'
  const parameters = [
    ...(realm === undefined ? [] : [`realm=${quoted(realm)}`]),
    ...(missing ? [] : [`error="${error}"`]),
  ]
  return { 'www-authenticate': ['Bearer', parameters.join(', ')].join(' ').trimEnd() }
}

/** RFC 9110 section 5.6.4; what no header may hold is left out. */
function quoted(text: string): string {
  return `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`
}

type HeaderValues = { readonly [name: string]: string | readonly string[] | undefined }

/**
 * The token of an `Authorization: Bearer` header (RFC 6750 section 2.1), without white space around it. Undefined if there
 * is none, or more than one such header: two tokens leave open which one is meant. Takes Node's headers or a `Headers`.
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
