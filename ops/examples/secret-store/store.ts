/**
 * A store of tenants' secrets, which is a macaroon authority of its own. It made ONE token for the orchestrator. That token
 * opens every secret, but only with a discharge, for which the token authority wants to see the tenant's own token.
 */
import type { ServerResponse } from 'node:http'
import {
  attenuate,
  createMacaroon,
  encodeTokenText,
  judgeAccess,
  requireDischarge,
  systemEntropy,
  verifyWithKey,
} from '../../../shared/library.ts'
import { bearerOf, reply } from '../shared/http.ts'
import { macaroonsIn } from '../shared/macaroons.ts'
import { movableClock, printLine, serve } from '../shared/service.ts'

/** The output of `macaroond third-party add`: the authority's location, and the public key to seal tickets to. */
interface Settings {
  readonly location: string
  readonly publicKey: string
}

const { location, publicKey } = JSON.parse(process.argv[2] ?? '{}') as Settings
const clock = movableClock()
const rootKey = { secret: systemEntropy.bytes(32) }
const secrets = new Map([
  ['acme', 'the password of acme’s database'],
  ['globex', 'globex’s key for payments'],
])

// Any other path is the name of a tenant.
serve((url) => (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', url)
  if (pathname === '/orchestrator-token') return reply(response, 200, { token: orchestratorToken() })
  read(pathname.slice(1), searchParams.get('machine') ?? '', bearerOf(request), response)
})

/** The orchestrator's token. A real store hands it out once, at setup; this one gives it to any caller, for brevity. */
function orchestratorToken(): string {
  const anything = createMacaroon({ ...rootKey, identifier: 'orchestrator', location: 'secret store' })
  // The discharge does not repeat the condition `op=read`, so the store adds it as a caveat of its own.
  const root = attenuate(anything, ['op = read'])
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  return encodeTokenText(requireDischarge(root, { location, condition: 'may op=read', recipient }, systemEntropy))
}

/** Reads a secret. Its tenant is the org of the access, so a discharge that was obtained with another tenant's token fails. */
function read(tenant: string, machine: string, token: string, response: ServerResponse): void {
  const nowMs = clock.wallMs()
  const access = { org: tenant, op: 'read', ...(machine === '' ? {} : { machine }) }
  const judge = judgeAccess(access, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  if (!('judge' in judge)) return reply(response, 400)
  const verdict = verifyWithKey({ bundle: macaroonsIn(token), rootKey, judge })
  // Only the discharge of the first caveat, the store's own, is trusted: a holder can append third parties of its own.
  printLine({ read: tenant, allowed: verdict.ok, presented: verdict.ok ? verdict.used[0]?.presented : [] })
  if (verdict.ok) reply(response, 200, { secret: secrets.get(tenant) })
  else reply(response, 403, { caveat: verdict.caveat ?? verdict.reason })
}
