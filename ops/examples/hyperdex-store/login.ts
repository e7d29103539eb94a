/**
 * A login service. It keeps the caveat keys that users register, and gives a discharge to a caller with the right password. It
 * knows nothing about the store, and the store knows nothing about it.
 */
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createDischarge, encodeTokenText } from '../../../shared/library.ts'
import { bodyOf, reply, textIn } from '../shared/http.ts'
import { movableClock, serve } from '../shared/service.ts'

/** A user's registration: the caveat key of one token, and the password that discharges it. */
interface Registration {
  readonly caveatKey: Buffer
  readonly user: string
  readonly salt: Buffer
  readonly password: Buffer
}

/** A discharge cannot be revoked, so it expires soon. */
const GOOD_FOR_SECONDS = 30
const clock = movableClock()
/** By random identifier, which means nothing to any other service. */
const registrations = new Map<string, Registration>()

serve((url) => (request, response) => {
  handle(url, request, response).catch(() => reply(response, 400, { error: 'not understood' }))
})

async function handle(url: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request)
  const text = (name: string): string => textIn(body, name)
  if (request.url === '/register') return reply(response, 200, { identifier: register(text) })
  const discharge = dischargeFor(text, url)
  if (discharge === undefined) return reply(response, 403, { error: 'unknown, or the wrong password' })
  reply(response, 200, { discharge })
}

function register(text: (name: string) => string): string {
  const identifier = randomBytes(16).toString('hex')
  const salt = randomBytes(16)
  const password = scryptSync(text('password'), salt, 32)
  registrations.set(identifier, { caveatKey: Buffer.from(text('key'), 'hex'), user: text('user'), salt, password })
  return identifier
}

/** A discharge; undefined for an unknown identifier and for a wrong password, which a caller must not tell apart. */
function dischargeFor(text: (name: string) => string, location: string): string | undefined {
  const known = registrations.get(text('identifier'))
  if (known === undefined || known.user !== text('user')) return undefined
  if (!timingSafeEqual(scryptSync(text('password'), known.salt, 32), known.password)) return undefined
  const until = Math.floor(clock.wallMs() / 1000) + GOOD_FOR_SECONDS
  const { caveatKey } = known
  const caveats = [`time < ${until}`]
  return encodeTokenText(createDischarge({ ticket: text('identifier'), caveatKey, location, caveats }))
}
