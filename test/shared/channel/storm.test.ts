/** V5: when everybody dials at once, those that are connected are served meanwhile, and everybody gets in. */
import { expect, test } from 'vitest'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { dialTo, serve } from './pair.ts'

const DIALERS = 20
/** The machine may be busy: nobody is to give up before its turn. */
const PATIENCE = { handshakeTimeoutMs: 15_000 }

test('a storm of dialers is admitted at the pace, and earlier connections are always answered', async () => {
  const limits = { ...PATIENCE, handshakesASecondMax: 25, handshakesAtOnceMax: 2 }
  const methods = { ping: () => 'pong' }
  const server = await serve({
    limits,
    onConnection: (connection) => void serveRpc(connection, { methods, log: silentLog }),
  })
  const client = new RpcClient(await dialTo(server.listener))
  const startedMs = performance.now()
  let arrived = 0
  const storm = Promise.all(
    Array.from({ length: DIALERS }, () => dialTo(server.listener, { limits: PATIENCE }).then(() => (arrived += 1))),
  )
  let answered = 0
  while (arrived < DIALERS) {
    expect(await client.call('ping', {})).toBe('pong')
    answered += 1
  }
  await storm
  expect(performance.now() - startedMs).toBeGreaterThan(((DIALERS - 2) / 25) * 1_000)
  expect(answered).toBeGreaterThan(4)
  expect(server.refusals).toEqual([])
})
