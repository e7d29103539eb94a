/**
 * A store of tenants' secrets, and a macaroon authority of its own: it made ONE token for the orchestrator, which opens
 * every secret, but only with a word of the token authority that the tenant's own token is at hand.
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
import { movableClock, serve, tell } from '../shared/service.ts'

/** What `macaroond third-party add` told: where the authority is, and the key to seal tickets to. */
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

serve((url) => (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', url)
  if (pathname === '/orchestrator-token') return reply(response, 200, { token: orchestratorToken() })
  read(pathname.slice(1), searchParams.get('machine') ?? '', bearerOf(request), response)
})

/** Handed out once, when the orchestrator is set up; here to whoever asks, so that the story is short. */
function orchestratorToken(): string {
  const anything = createMacaroon({ ...rootKey, identifier: 'orchestrator', location: 'secret store' })
  // What the condition asks the discharge does not say again, so the store's own caveat keeps the token to it.
  const root = attenuate(anything, ['op = read'])
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  return encodeTokenText(requireDischarge(root, { location, condition: 'may op=read', recipient }, systemEntropy))
}

/** The tenant whose secret it is, is the org of the access: a discharge earned with another’s token does not fit. */
function read(tenant: string, machine: string, token: string, response: ServerResponse): void {
  const nowMs = clock.wallMs()
  const access = { org: tenant, op: 'read', ...(machine === '' ? {} : { machine }) }
  const judge = judgeAccess(access, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  if (!('judge' in judge)) return reply(response, 400)
  const verdict = verifyWithKey({ bundle: macaroonsIn(token), rootKey, judge })
  // Of the store's own caveat, the first: what a holder appends would say what the holder likes.
  tell({ read: tenant, allowed: verdict.ok, presented: verdict.ok ? verdict.used[0]?.presented : [] })
  if (verdict.ok) reply(response, 200, { secret: secrets.get(tenant) })
  else reply(response, 403, { caveat: verdict.caveat ?? verdict.reason })
}
