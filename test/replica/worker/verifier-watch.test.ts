import { describe, expect, test } from 'vitest'
import { createVerifier, type Verifier } from '../../../replica/worker/sdk.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { cleanup, impostor, serve, serverIdentity, strangerIdentity } from '../../shared/channel/pair.ts'

const judged = { node: 'x', region: 'fra', pid: 1, epoch: 1, txid: 7, revocationSeq: 3 }
const serving = { ok: false, reason: 'token_missing', message: 'no token', ...judged }

interface Scripted {
  readonly verifier: Verifier
  readonly calls: () => number
}

/** A replica that answers every `verify` as told. */
async function scripted(answer: () => unknown, welcome: object = { region: 'fra' }): Promise<Scripted> {
  let calls = 0
  const verify = (): unknown => {
    calls += 1
    return answer()
  }
  const onConnection = (connection: Connection): Promise<void> =>
    serveRpc(connection, { methods: { verify }, log: silentLog }).done
  const { listener } = await serve({ onConnection, accept: () => ({ ok: true, welcome: { ...welcome } }) })
  const replicas = [{ address: listener.address, peerId: serverIdentity.peerId }]
  const options = { cluster: 'test', identity: Buffer.alloc(32, 9), replicas, cache: false, timeoutMs: 300 }
  const verifier = await createVerifier(options)
  cleanup(() => verifier.close())
  return { verifier, calls: () => calls }
}

describe('a verifier', () => {
  test('asks no replica by itself before anybody wants to know', async () => {
    const { verifier, calls } = await scripted(() => serving)
    await expect.poll(() => verifier.statistics().feedError).toBeNull()
    await verifier.explain('x', { org: 'acme' }).catch(() => undefined)
    expect(calls()).toBe(0)
    await verifier.ready()
    expect(calls()).toBe(1)
    for (let turn = 0; turn < 100; turn += 1) verifier.health()
    expect(calls()).toBe(1)
  })

  test.each([
    ['nothing', null],
    ['an acceptance', { ok: true, id: 'x', org: 'acme', subject: 'alice', notes: [], caveatCount: 0, ...judged }],
    ['a refusal without a reason', { ok: false, ...judged }],
    ['a text without end', { ...serving, reason: 'unavailable', message: 'x'.repeat(20_000) }],
  ])('is not ready by a replica that answers its probe with %s', async (_, answer) => {
    const { verifier } = await scripted(() => answer)
    const error = verifier.ready({ timeoutMs: 300 })
    await expect(error).rejects.toMatchObject({ code: 'timeout', cause: { code: 'protocol_violation' } })
    expect(verifier.health()).toMatchObject({ serving: false, replicas: [{ connected: true, serving: false }] })
  })

  test('is not ready by a replica that hangs, and shows it', async () => {
    const { verifier } = await scripted(() => new Promise(() => undefined))
    await expect(verifier.ready({ timeoutMs: 1_500 })).rejects.toMatchObject({ cause: { code: 'timeout' } })
    expect(verifier.health().replicas[0]?.problem).toMatchObject({ code: 'timeout', option: null })
  })

  test('that waits to be ready stops with its signal, and when it is closed', async () => {
    const { verifier } = await scripted(() => new Promise(() => undefined))
    const stop = new AbortController()
    const waits = [verifier.ready({ signal: stop.signal }), verifier.ready()]
    const codes = Promise.all(waits.map((wait) => wait.catch((error: { code: string }) => error.code)))
    stop.abort()
    await verifier.close()
    expect(await codes).toEqual(['closed', 'closed'])
  })

  test('names the option `region` for a replica of another region', async () => {
    const { listener } = await serve({ accept: () => ({ ok: true, welcome: { region: 'sin' } }) })
    const replicas = [{ address: listener.address, peerId: serverIdentity.peerId }]
    const identity = Buffer.alloc(32, 9)
    const verifier = await createVerifier({ cluster: 'test', identity, replicas, region: 'fra', cache: false })
    cleanup(() => verifier.close())
    await expect(verifier.ready()).rejects.toMatchObject({
      code: 'peer_refused',
      message: expect.stringContaining('option region: this replica is in sin'),
    })
  })

  test('becomes ready once a balancer that broke off every handshake has a replica again', async () => {
    const balancer = await impostor((socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'))
    const replicas = [{ address: balancer.address, peerId: serverIdentity.peerId }]
    const identity = Buffer.alloc(32, 9)
    const verifier = await createVerifier({ cluster: 'test', identity, replicas, cache: false, timeoutMs: 300 })
    cleanup(() => verifier.close())
    const early = verifier.ready({ timeoutMs: 400 })
    await expect(early).rejects.toMatchObject({ code: 'timeout', cause: { code: 'handshake_failed' } })
    expect(await verifier.verify('x', { org: 'acme' })).toMatchObject({
      reason: 'unavailable',
      cause: { code: 'handshake_failed', option: null },
    })
    const ready = verifier.ready({ timeoutMs: 9_000 })
    await balancer.close()
    const onConnection = (connection: Connection): Promise<void> =>
      serveRpc(connection, { methods: { verify: () => serving }, log: silentLog }).done
    const accept = () => ({ ok: true, welcome: { region: 'fra' } }) as const
    await serve({ address: balancer.address, onConnection, accept })
    await ready
  })

  test('names the option `cluster` for a node of another cluster', async () => {
    const { listener } = await serve({ identity: strangerIdentity, cluster: 'another' })
    const replicas = [{ address: listener.address, peerId: serverIdentity.peerId }]
    const identity = Buffer.alloc(32, 9)
    const verifier = await createVerifier({ cluster: 'test', identity, replicas, cache: false })
    cleanup(() => verifier.close())
    await expect(verifier.ready()).rejects.toMatchObject({
      code: 'handshake_failed',
      message: expect.stringContaining(`${listener.address}, option cluster`),
    })
  })
})
