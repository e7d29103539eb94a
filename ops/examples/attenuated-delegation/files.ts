/** A file service with a root key of its own. It derives the access from the request; the token's caveats judge it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  decodeBundle,
  type ForeignAccess,
  judgeAccess,
  MacaroondError,
  verifyWithKey,
} from '../../../shared/library.ts'
import { bearerOf, reply } from '../shared/http.ts'
import { movableClock, serve } from '../shared/service.ts'

/** The key comes from the environment, because every user of the machine can see arguments. */
const secret = Buffer.from(process.env['FILES_ROOT_KEY'] ?? '', 'hex')
const clock = movableClock()

serve((url) => (request, response) => handle(new URL(request.url ?? '/', url), request, response))

/** Answers with the caveat that refused. A real service would tell that only to the owner of the token. */
function handle(url: URL, request: IncomingMessage, response: ServerResponse): void {
  const verdict = judge(bearerOf(request), accessOf(url, request))
  if (verdict === 'yes') return reply(response, 200, { allowed: true })
  reply(response, 403, { caveat: verdict })
}

/** The access, taken only from the request itself. */
function accessOf(url: URL, request: IncomingMessage): ForeignAccess {
  const [, kind, rest = ''] = url.pathname.split('/')
  if (kind === 'chunks') return { chunk: rest }
  if (kind === 'scopes') return { scope: decodeURIComponent(rest).split(' ') }
  return {
    method: request.method ?? '',
    host: url.searchParams.get('host') ?? '',
    path: url.pathname,
    'content-type': request.headers['content-type'] ?? '',
    size: request.headers['content-length'] ?? '0',
  }
}

/** `yes`, or the caveat that refused, or the reason if no caveat did. */
function judge(token: string, access: ForeignAccess): string {
  const nowMs = clock.wallMs()
  const caveats = judgeAccess(access, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  if (!('judge' in caveats)) return caveats.reason
  try {
    const verdict = verifyWithKey({ bundle: decodeBundle(token), rootKey: { secret }, judge: caveats })
    return verdict.ok ? 'yes' : (verdict.caveat ?? verdict.reason)
  } catch (error) {
    if (error instanceof MacaroondError) return error.code
    throw error
  }
}
