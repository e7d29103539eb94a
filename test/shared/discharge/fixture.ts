/** Third parties on real sockets, and tokens that need them. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { createDischarger, type Discharger, type DischargerOptions } from '../../../shared/discharge/discharger.ts'
import { nodeListener } from '../../../shared/discharge/node-listener.ts'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { requireDischarge } from '../../../shared/macaroon/third-party.ts'
import { judgeAccess, verifyWithKey } from '../../../shared/verifier/with-key.ts'

export const ROOT_KEY: { readonly secret: Uint8Array } = { secret: new Uint8Array(32).fill(1) }

/** What a host saw of a request. */
export interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly authorization: string | undefined
}

export interface Host {
  readonly host: string
  readonly origin: string
  readonly seen: readonly Seen[]
  readonly discharger: Discharger
  /** Shared with whoever makes caveats for this third party. */
  readonly sharedKey: Uint8Array
}

type Handle = (request: Request, incoming: Seen) => Promise<Response>

/** A server on a free port of loopback, closed when the test ends. */
export async function listen(handle: Handle): Promise<{ host: string; origin: string; seen: Seen[] }> {
  const seen: Seen[] = []
  const server: Server = createServer((incoming, outgoing) => {
    seen.push(seenOf(incoming))
    nodeListener((request) => handle(request, seenOf(incoming)))(incoming, outgoing)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { host, origin: `http://${host}`, seen }
}

function seenOf({ method, url, headers }: IncomingMessage): Seen {
  return { method, url, authorization: headers.authorization }
}

let keys = 10

export async function thirdParty(
  check: DischargerOptions['check'],
  options: Partial<DischargerOptions> & { readonly path?: string } = {},
): Promise<Host> {
  const sharedKey = new Uint8Array(32).fill((keys += 1))
  const { path = '', ...rest } = options
  // The port is known once the server listens, and no request comes before.
  const server = await listen((request) => discharger.handle(request))
  const location = server.origin + path
  const discharger = createDischarger({ location, keys: [{ sharedKey }], check, ...rest })
  return { ...server, discharger, sharedKey }
}

export function needing(parties: readonly { origin: string; sharedKey: Uint8Array }[], condition = 'login'): Macaroon {
  return parties.reduce<Macaroon>(
    (token, { origin, sharedKey }) =>
      requireDischarge(token, { location: origin, condition, recipient: { sharedKey } }, systemEntropy),
    createMacaroon({ ...ROOT_KEY, identifier: 'a token' }),
  )
}

export function text(...bundle: readonly Macaroon[]): string {
  return encodeBundle(bundle)
}

export function outcomeOf(bundle: string, nowMs = 1_800_000_000_000): string {
  const judge = judgeAccess({}, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  if (!('judge' in judge)) return judge.reason
  const cleared = verifyWithKey({ bundle: decodeBundle(bundle), rootKey: ROOT_KEY, judge })
  return cleared.ok ? 'ok' : cleared.reason
}
