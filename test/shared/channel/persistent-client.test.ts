import { describe, expect, test } from 'vitest'
import { PersistentClient, type PersistentClientOptions } from '../../../shared/channel/persistent-client.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { listen, type Listener } from '../../../shared/channel/listen.ts'
import { silentLog } from '../../../shared/log.ts'
import { cleanup, clientIdentity, impostor, serve, serverIdentity, strangerIdentity } from './pair.ts'

const echo = { echo: (value: unknown) => value, wait: () => new Promise(() => undefined) }
const answer = (connection: Connection): Promise<void> => serveRpc(connection, { methods: echo, log: silentLog }).done

function clientOf(
  listener: Pick<Listener, 'address'>,
  options: Partial<PersistentClientOptions> = {},
): PersistentClient {
  const client = new PersistentClient({
    address: listener.address,
    peerId: serverIdentity.peerId,
    identity: clientIdentity,
    cluster: 'test',
    channel: 'verify',
    ...options,
  })
  cleanup(() => client.close())
  return client
}

describe('a client whose connection comes back', () => {
  test('answers a call that was made before the connection was there', async () => {
    const { listener } = await serve({ onConnection: answer })
    expect(await clientOf(listener).call('echo', 7)).toBe(7)
  })

  test('goes on after the server was away, on the same address', async () => {
    const options = { identity: serverIdentity, cluster: 'test', accept: () => ({ ok: true, welcome: {} }) as const }
    const first = await listen({ ...options, address: '127.0.0.1:0', onConnection: answer, log: silentLog })
    const { address } = first
    const client = clientOf(first)
    await client.call('echo', 1)
    for (const connection of first.connections()) connection.abort(new Error('gone'))
    await first.close()
    await expect.poll(() => client.connected).toBe(false)
    const call = client.call('echo', 2, { timeoutMs: 5_000 })
    await serve({ address, onConnection: answer })
    expect(await call).toBe(2)
  })

  test('gives up a call when its time is over, and says why there was no connection', async () => {
    const { listener } = await serve()
    const { address } = listener
    await listener.close()
    await expect(clientOf({ address }).call('echo', 1, { timeoutMs: 150 })).rejects.toMatchObject({
      code: 'connect_failed',
    })
  })

  test('does not wait where trying again cannot help: a wrong pin, a refused role', async () => {
    const { listener } = await serve({
      accept: () => ({ ok: false, error: { code: 'peer_refused', message: 'no role' } }),
    })
    const patient = { timeoutMs: 60_000 }
    await expect(clientOf(listener).call('echo', 1, patient)).rejects.toMatchObject({ code: 'peer_refused' })
    const wrongPin = clientOf(listener, { peerId: strangerIdentity.peerId })
    await expect(wrongPin.call('echo', 1, patient)).rejects.toMatchObject({ code: 'peer_mismatch' })
  })

  test('waits while something else answers there, as a balancer does during a restart', async () => {
    const breaksOff = await impostor((socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'))
    const client = clientOf(breaksOff)
    await expect(client.call('echo', 1, { timeoutMs: 400 })).rejects.toMatchObject({ code: 'handshake_failed' })
    const call = client.call('echo', 2, { timeoutMs: 9_000 })
    await breaksOff.close()
    await serve({ address: breaksOff.address, onConnection: answer })
    expect(await call).toBe(2)
  })

  test('fails what is in flight when it is closed, and every call after it', async () => {
    const { listener } = await serve({ onConnection: answer })
    const client = clientOf(listener)
    await client.call('echo', 1)
    const waiting = client.call('wait', {}, { timeoutMs: 300 })
    const failed = waiting.catch((error: unknown) => error)
    await client.close()
    expect(await failed).toMatchObject({ kind: 'unavailable' })
    await expect(client.call('echo', 1)).rejects.toMatchObject({ code: 'closed' })
  })

  test('calls off a call with its signal', async () => {
    const { listener } = await serve({ onConnection: answer })
    const client = clientOf(listener)
    const cancel = new AbortController()
    const waiting = client.call('wait', {}, { signal: cancel.signal })
    setImmediate(() => cancel.abort())
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable' })
  })
})
