import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frame } from '../../../shared/channel/framing.ts'
import { encodeHello } from '../../../shared/channel/hello.ts'
import { dialTo, rawPeer, rawSocket, rawWelcomed, serve, type Server, until } from './pair.ts'

const uncaught: unknown[] = []
const note = (error: unknown): void => void uncaught.push(error)
beforeAll(() => {
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
})
afterAll(() => {
  process.off('uncaughtException', note)
  process.off('unhandledRejection', note)
  expect(uncaught).toEqual([])
})

async function stillServes(server: Server): Promise<void> {
  const near = await dialTo(server.listener)
  const far = await server.accepted()
  near.write(Buffer.from('alive'))
  for await (const message of far.messages()) {
    expect(Buffer.from(message).toString()).toBe('alive')
    break
  }
}

describe('before the handshake is finished', () => {
  it('garbage of any kind ends its own socket and nothing else', async () => {
    const server = await serve({ limits: { handshakeTimeoutMs: 200 } })
    const garbage = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(2),
      Buffer.alloc(100),
      Buffer.from([0, 32, ...randomBytes(32)]),
      Buffer.from([0, 31, ...randomBytes(31)]),
      Buffer.from([0xff, 0xff]),
      randomBytes(70_000),
    ]
    for (const bytes of garbage) (await rawSocket(server.listener)).write(bytes)
    const ends = await rawSocket(server.listener)
    ends.end(Buffer.from([0, 32, 1, 2, 3]))
    const resets = await rawSocket(server.listener)
    resets.resetAndDestroy()
    await until(() => server.refusals.length === garbage.length + 2)
    expect(server.listener.unfinished()).toBe(0)
    await stillServes(server)
  })

  it('a stranger is not listened to for more than a few kilobytes', async () => {
    const server = await serve()
    const socket = await rawSocket(server.listener)
    socket.write(Buffer.concat([Buffer.from([0xff, 0xff]), Buffer.alloc(8 * 1024 * 1024)]))
    await until(() => server.refusals.length === 1)
    expect(server.refusals[0]?.error.code).toBe('protocol_violation')
    await stillServes(server)
  })

  it('hundreds of half-open sockets lock nobody out', async () => {
    const server = await serve()
    for (let index = 0; index < 300; index += 1) {
      void rawSocket(server.listener)
      if (index % 20 === 0) await dialTo(server.listener).then((near) => near.close())
    }
    await until(() => server.refusals.length >= 300 - 64)
    expect(server.listener.unfinished()).toBeLessThanOrEqual(64)
    await stillServes(server)
  })

  it('a malformed hello is refused with an error', async () => {
    const hellos = [
      Buffer.from('{}'),
      Buffer.from('not json'),
      Buffer.from('{"protocol":2,"channel":"wal","software":"1","fields":{}}'),
      Buffer.from('{"protocol":1,"channel":"wal","software":"1","fields":[]}'),
      Buffer.from('{"protocol":1,"channel":"constructor","software":"1","fields":{}}'),
      Buffer.from(`{"protocol":1,"channel":"wal","software":"${'x'.repeat(65)}","fields":{}}`),
      randomBytes(1000),
      encodeHello('wal', { text: 'x'.repeat(16 * 1024) }),
    ]
    const server = await serve()
    for (const hello of hellos) {
      const peer = await rawPeer(server.listener)
      peer.secure.send(frame(hello))
      await until(() => peer.socket.destroyed)
    }
    await until(() => server.refusals.length === hellos.length)
    const codes = new Set(server.refusals.map(({ error }) => error.code))
    expect(codes).toEqual(new Set(['protocol_violation', 'peer_refused']))
    expect(server.listener.connections()).toEqual([])
    await stillServes(server)
  })

  it('a peer that does not wait for its welcome is cut off', async () => {
    const server = await serve({ accept: () => new Promise(() => undefined) })
    const peer = await rawPeer(server.listener)
    peer.secure.send(frame(encodeHello('wal', {})))
    peer.secure.send(frame(new Uint8Array(60_000)))
    await until(() => peer.socket.destroyed)
    expect(server.listener.unfinished()).toBe(0)
  })
})

describe('after the handshake', () => {
  it('bytes that are not encrypted end the connection', async () => {
    const server = await serve()
    const { socket, far } = await rawWelcomed(server)
    socket.write(randomBytes(100_000))
    expect((await far.closed)?.code).toBe('connection_lost')
    await stillServes(server)
  })

  it('a length of two gigabytes, and a message above the limit, end the connection', async () => {
    const server = await serve()
    for (const bytes of [
      [0xff, 0xff, 0xff, 0xff, 0x07],
      [0x81, 0x80, 0x40],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
    ]) {
      const { secure, far } = await rawWelcomed(server)
      secure.send(Buffer.from(bytes))
      expect((await far.closed)?.code).toBe('protocol_violation')
    }
    await stillServes(server)
  })

  it('an end in the middle of a message is no orderly end, and what came before is handed out', async () => {
    const server = await serve()
    const { socket, secure, far } = await rawWelcomed(server)
    secure.send(frame(Buffer.from('whole')))
    secure.send(Buffer.from([10, 1, 2, 3]))
    socket.end()
    expect(await far.closed).toMatchObject({ code: 'connection_lost' })
    const seen: string[] = []
    const error = await (async () => {
      for await (const message of far.messages()) seen.push(Buffer.from(message).toString())
      return undefined
    })().catch((caught: unknown) => caught)
    expect(seen).toEqual(['whole'])
    expect(error).toMatchObject({ code: 'connection_lost' })
  })

  it('half a message does not keep this side from closing in order', async () => {
    const server = await serve()
    const { secure, far } = await rawWelcomed(server)
    secure.send(Buffer.from([10, 1, 2, 3]))
    await until(() => far.frames > 1)
    await delay(5)
    await far.close()
    expect(await far.closed).toBeUndefined()
  })

  it('silence ends the connection, and bytes that do not decrypt are silence', async () => {
    const server = await serve({ limits: { heartbeatIntervalMs: 50, heartbeatSilenceMs: 150 } })
    const { socket, far } = await rawWelcomed(server)
    const trickle = setInterval(() => socket.write(Buffer.from([0, 0])), 10)
    expect(await far.closed).toMatchObject({ code: 'connection_lost', message: 'the peer was silent for 150 ms' })
    clearInterval(trickle)
  })

  it('a flood of heartbeats costs the consumer nothing', async () => {
    const server = await serve()
    const { secure, far } = await rawWelcomed(server)
    const empty = Buffer.alloc(1000)
    for (let index = 0; index < 1000; index += 1) secure.send(empty)
    secure.send(frame(Buffer.from('done')))
    for await (const message of far.messages()) {
      expect(Buffer.from(message).toString()).toBe('done')
      break
    }
    expect(far.queuedBytes).toBeLessThan(1024 * 1024)
  })

  it('the node serves on and messages stay intact, whatever frames arrive in whatever pieces', async () => {
    const server = await serve()
    const piece = fc.oneof(
      { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => frame(bytes).subarray()) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.boolean(), async (pieces, abrupt) => {
        const { socket, secure, far } = await rawWelcomed(server)
        const consumed = (async () => {
          for await (const message of far.messages()) expect(message.byteLength).toBeGreaterThan(0)
        })().catch((error: unknown) => expect(error).toMatchObject({ name: 'MacaroondError' }))
        for (const bytes of pieces) if (secure.status === 'open') secure.send(bytes)
        await delay(1)
        if (abrupt) socket.resetAndDestroy()
        else socket.end()
        await consumed
        await far.closed
      }),
      { numRuns: 60 },
    )
    await until(() => server.listener.connections().length === 0)
    await stillServes(server)
  })
})
