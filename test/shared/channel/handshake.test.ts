import { setTimeout as delay } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { describe, expect, it } from 'vitest'
import { dialKind, isOtherCluster } from '../../../shared/channel/handshake-error.ts'
import type { Identity } from '../../../shared/channel/identity.ts'
import { mayOpen } from '../../../shared/channel/roles.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import {
  clientIdentity,
  dialTo,
  impostor,
  rawPeer,
  rawSocket,
  rejection,
  serve,
  serverIdentity,
  strangerIdentity,
  until,
} from './pair.ts'

describe('a dial', () => {
  it('to a server with another key than the pinned one names both', async () => {
    const { listener, refusals } = await serve()
    const error = await rejection(dialTo(listener, { peerId: strangerIdentity.peerId }))
    expect(error).toMatchObject({ code: 'peer_mismatch', kind: 'denied' })
    expect(String(error)).toContain(strangerIdentity.peerId)
    expect(String(error)).toContain(serverIdentity.peerId)
    await until(() => refusals.length === 1)
    // The impostor must not have learned who dialed.
    expect(refusals[0]?.remotePeer).toBeUndefined()
  })

  it('to another cluster fails with a hint that names cluster and version', async () => {
    const { listener } = await serve({ cluster: 'production' })
    const error = await rejection(dialTo(listener, { cluster: 'staging' }))
    expect(error).toMatchObject({ code: 'handshake_failed' })
    expect((error as MacaroondError).hint).toMatch(/cluster.*protocol version/)
  })

  it('to a port where nobody listens fails to connect', async () => {
    const { listener } = await serve()
    await listener.close()
    await expect(dialTo(listener)).rejects.toMatchObject({ code: 'connect_failed', kind: 'unavailable' })
    await expect(dialTo({ address: 'host.invalid:1' })).rejects.toMatchObject({ code: 'connect_failed' })
  })

  it('to a malformed address or with a hello that is too large is an error of the caller', async () => {
    for (const address of ['', 'host', 'host:', ':1', '::1:7000', 'a:70000', 'a b:1', '[::1]']) {
      await expect(dialTo({ address })).rejects.toMatchObject({ code: 'request_invalid' })
    }
    const { listener } = await serve()
    const hello = { text: 'x'.repeat(20_000) }
    await expect(dialTo(listener, { hello })).rejects.toMatchObject({ code: 'request_invalid' })
    const peerId = '12D3KooWnotakey' as PeerIdText
    await expect(dialTo(listener, { peerId })).rejects.toMatchObject({ code: 'request_invalid' })
  })

  it('hears the refusal of the server as the error the server meant', async () => {
    const { listener, refusals } = await serve({
      accept: (peer, channel) =>
        mayOpen('worker', channel)
          ? { ok: true, welcome: {} }
          : { ok: false, error: { code: 'peer_refused', message: `no ${channel} for ${peer}`, hint: 'ask' } },
    })
    await dialTo(listener, { channel: 'verify' })
    const error = await rejection(dialTo(listener, { channel: 'sign' }))
    expect(error).toBeInstanceOf(MacaroondError)
    expect(error).toMatchObject({ code: 'peer_refused', message: `no sign for ${clientIdentity.peerId}`, hint: 'ask' })
    await until(() => refusals.length === 1)
    expect(refusals[0]).toMatchObject({
      remotePeer: clientIdentity.peerId,
      channel: 'sign',
      remoteAddress: '127.0.0.1',
    })
    expect(listener.connections()).toHaveLength(1)
  })

  it('hears nothing of what went wrong inside the server', async () => {
    const { listener } = await serve({
      accept: () => {
        throw new Error('password=hunter2')
      },
    })
    const error = await rejection(dialTo(listener))
    expect(error).toMatchObject({ code: 'internal' })
    expect(String(error) + JSON.stringify(error)).not.toContain('hunter2')
  })

  it('takes an unknown code of a newer server as a refusal', async () => {
    const { listener } = await serve({
      accept: () => ({ ok: false, error: { code: 'toString' as never, message: 'no' } }),
    })
    await expect(dialTo(listener)).rejects.toMatchObject({ code: 'peer_refused', message: 'no' })
  })

  it('to a server that is silent, ends, resets or talks another protocol fails with our error', async () => {
    const limits = { handshakeTimeoutMs: 150 }
    const silent = await impostor(() => undefined)
    await expect(dialTo(silent, { limits })).rejects.toMatchObject({ code: 'timeout' })
    const ends = await impostor((socket) => socket.end())
    await expect(dialTo(ends, { limits })).rejects.toMatchObject({ code: 'connection_lost' })
    const resets = await impostor((socket) => socket.resetAndDestroy())
    await expect(dialTo(resets, { limits })).rejects.toMatchObject({ kind: 'unavailable' })
    const http = await impostor((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await expect(dialTo(http, { limits })).rejects.toMatchObject({ code: 'handshake_failed' })
  })

  it('blames the cluster only if a node of another cluster answered', async () => {
    const { listener } = await serve({ cluster: 'production' })
    expect(isOtherCluster((await rejection(dialTo(listener, { cluster: 'staging' }))) as MacaroondError)).toBe(true)
    const answers = {
      'a short page': Buffer.from('HTTP/1.1 503 Service Unavailable\r\n\r\n'),
      'a page longer than a Noise message': Buffer.from(`HTTP/1.1 503 Unavailable\r\n\r\n${'x'.repeat(70_000)}`),
      'a TLS alert': Buffer.concat([Buffer.from('15030300020228', 'hex'), Buffer.alloc(6_000)]),
      'the first bytes of a node that was killed': Buffer.from('00c8c0ffee', 'hex'),
      'one byte': Buffer.of(0),
    }
    for (const [what, bytes] of Object.entries(answers)) {
      const other = await impostor((socket) => socket.end(bytes))
      const error = (await rejection(dialTo(other))) as MacaroondError
      expect([what, isOtherCluster(error), dialKind(error)]).toEqual([what, false, 'unavailable'])
      expect([what, error.hint ?? '']).not.toEqual([what, expect.stringContaining('same cluster')])
    }
  })

  it('can be called off at any moment', async () => {
    const silent = await impostor(() => undefined)
    for (const waitMs of [0, 20]) {
      const cancel = new AbortController()
      setTimeout(() => cancel.abort(), waitMs)
      await expect(dialTo(silent, { signal: cancel.signal })).rejects.toMatchObject({ code: 'closed' })
    }
    await expect(dialTo(silent, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('a listener', () => {
  it('refuses keys that are not Ed25519', async () => {
    const { listener, refusals } = await serve()
    const privateKey = (await generateKeyPair('secp256k1')) as unknown as Identity['privateKey']
    const identity = { peerId: clientIdentity.peerId, privateKey }
    await expect(dialTo(listener, { identity })).rejects.toBeInstanceOf(MacaroondError)
    await until(() => refusals.length === 1)
    expect(refusals[0]).toMatchObject({ remotePeer: undefined, error: { code: 'handshake_failed' } })
  })

  it('cuts off whoever does not finish the handshake in time', async () => {
    const { listener, refusals } = await serve({ limits: { handshakeTimeoutMs: 100 } })
    await rawSocket(listener)
    const noHello = await rawPeer(listener)
    await until(() => refusals.length === 2)
    expect(refusals.map(({ error }) => error.code)).toEqual(['timeout', 'timeout'])
    await until(() => noHello.socket.destroyed)
    expect(listener.unfinished()).toBe(0)
  })

  it('cuts off a handler of `accept` that does not come to a decision', async () => {
    const { listener } = await serve({
      limits: { handshakeTimeoutMs: 100 },
      accept: () => new Promise(() => undefined),
    })
    await expect(dialTo(listener)).rejects.toMatchObject({ code: 'connection_lost' })
    await until(() => listener.unfinished() === 0)
  })

  it('takes no more connections than the caps, says so, and takes more when one has gone', async () => {
    const { listener } = await serve({ limits: { connectionsMax: 3, connectionsPerPeerMax: 2 } })
    const first = await dialTo(listener)
    await dialTo(listener)
    await expect(dialTo(listener)).rejects.toMatchObject({ code: 'overloaded' })
    await dialTo(listener, { identity: strangerIdentity })
    await expect(dialTo(listener, { identity: strangerIdentity })).rejects.toMatchObject({ code: 'overloaded' })
    await first.close()
    await until(() => listener.connections().length === 2)
    await dialTo(listener)
    expect(listener.connections()).toHaveLength(3)
  })

  it('survives a handler that throws, and the connection does not', async () => {
    const { listener } = await serve({
      onConnection: async () => {
        await delay(1)
        throw new Error('a bug')
      },
    })
    const outcome = await dialTo(listener).then(
      (near) => near.closed,
      (error: unknown) => error,
    )
    expect(outcome).toMatchObject({ code: 'connection_lost' })
    expect(listener.connections()).toEqual([])
  })

  it('on a port in use says so', async () => {
    const { listener } = await serve()
    await expect(serve({ address: listener.address })).rejects.toMatchObject({ code: 'port_in_use' })
  })

  it('listens on IPv6 too', async () => {
    const { listener } = await serve({ address: '[::1]:0' })
    expect(listener.address).toBe(`[::1]:${listener.port}`)
    expect((await dialTo(listener)).remoteAddress).toBe('::1')
  })

  it('closes its connections in order, cuts unfinished ones off, and takes no more', async () => {
    const { listener } = await serve()
    const near = await dialTo(listener)
    const half = await rawSocket(listener)
    await until(() => listener.unfinished() === 1)
    await listener.close()
    expect(await near.closed).toBeUndefined()
    await until(() => half.destroyed)
    await expect(dialTo(listener)).rejects.toMatchObject({ code: 'connect_failed' })
  })
})
