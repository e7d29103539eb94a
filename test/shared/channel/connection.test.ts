import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { cleanup, clientIdentity, collect, dialTo, pair, rejection, serve, serverIdentity, until } from './pair.ts'

const MB = 1024 * 1024

async function next(messages: AsyncIterable<Uint8Array>): Promise<string> {
  for await (const message of messages) return Buffer.from(message).toString()
  throw new Error('ended')
}

describe('a connection', () => {
  it('knows both sides, the channel, and what each said', async () => {
    const { near, far } = await pair(
      { accept: (_peer, _channel, hello) => ({ ok: true, welcome: { echo: hello['region'] ?? null } }) },
      { channel: 'feed', hello: { region: 'fra' } },
    )
    expect(far).toMatchObject({ channel: 'feed', remotePeer: clientIdentity.peerId, remoteAddress: '127.0.0.1' })
    expect(far.hello).toEqual({ region: 'fra' })
    expect(near).toMatchObject({ channel: 'feed', remotePeer: serverIdentity.peerId, remoteAddress: '127.0.0.1' })
    expect(near.hello).toEqual({ echo: 'fra' })
    expect(near.remoteSoftware).toBe(far.remoteSoftware)
  })

  it('carries messages of every size both ways, in order and one by one', async () => {
    const { near, far } = await pair()
    const sizes = [1, 2, 127, 128, 300, 16_383, 16_384, 65_518, 65_519, 65_520, 70_000, MB]
    const sent = sizes.map((size) => randomBytes(size))
    const received = [collect(near.messages()), collect(far.messages())]
    for (const message of sent) await Promise.all([near.send(message), far.send(message)])
    await near.close()
    expect((await received[1])?.map((each) => each.equals(sent.shift() ?? Buffer.alloc(0)))).toEqual(
      sizes.map(() => true),
    )
    expect((await received[0])?.length).toBeLessThanOrEqual(sizes.length)
  })

  it('takes as its first message after the welcome one that is larger than any hello', async () => {
    const big = randomBytes(MB)
    const server = await serve({ onConnection: (connection) => void connection.write(big) })
    const near = await dialTo(server.listener)
    for await (const message of near.messages()) {
      expect(big.equals(message)).toBe(true)
      break
    }
  })

  it('refuses to send what is too large, and stays open', async () => {
    const { near, far } = await pair()
    expect(() => near.write(new Uint8Array(MB + 1))).toThrow(expect.objectContaining({ code: 'request_invalid' }))
    near.write(Buffer.from('still here'))
    expect(await next(far.messages())).toBe('still here')
  })

  it('loses nothing of twelve megabytes sent just before it is closed', async () => {
    const { near, far } = await pair()
    const chunk = randomBytes(60 * 1024)
    const received = (async () => {
      let bytes = 0
      for await (const message of far.messages()) bytes += message.byteLength
      return bytes
    })()
    for (let index = 0; index < 205; index += 1) await near.send(chunk)
    await near.close()
    expect(await received).toBe(205 * chunk.byteLength)
    expect(await near.closed).toBeUndefined()
    expect(await far.closed).toBeUndefined()
  })

  it('loses nothing at close when a backlog is queued and the reader starts late', async () => {
    const { near, far } = await pair()
    const chunk = randomBytes(60 * 1024)
    for (let index = 0; index < 120; index += 1) near.write(chunk)
    const closed = near.close()
    await delay(100)
    expect((await collect(far.messages())).reduce((sum, each) => sum + each.byteLength, 0)).toBe(120 * chunk.byteLength)
    await closed
    expect(await near.closed).toBeUndefined()
  })

  it('makes a sender wait for a slow reader and holds a bounded number of bytes on both sides', async () => {
    const { near, far } = await pair()
    const chunk = randomBytes(60 * 1024)
    let sent = 0
    void (async () => {
      for (; sent < 2000; sent += 1) await near.send(chunk)
    })().catch(() => undefined)
    let most = { queued: 0, backlog: 0 }
    const look = setInterval(() => {
      most = { queued: Math.max(most.queued, far.queuedBytes), backlog: Math.max(most.backlog, near.backlogBytes) }
    }, 1)
    cleanup(() => clearInterval(look))
    let stopped = -1
    for (; stopped !== sent; await delay(150)) stopped = sent
    // What is not queued on either side is in the kernel's two socket buffers.
    expect(sent).toBeLessThan(400)
    let received = 0
    for await (const message of far.messages()) {
      received += message.byteLength
      if (received > 30 * MB) break
    }
    expect(most.queued).toBeLessThan(4 * MB)
    expect(most.backlog).toBeLessThan(2 * MB)
    expect(await Promise.race([near.closed, delay(10, 'open')])).toBe('open')
  })

  it('aborts a sender that ignores back-pressure once its backlog is full', async () => {
    const { near, far } = await pair()
    const chunk = new Uint8Array(60 * 1024)
    let most = 0
    for (let index = 0; index < 1000; index += 1) {
      near.write(chunk)
      most = Math.max(most, near.backlogBytes)
    }
    expect(most).toBeLessThan(9 * MB)
    expect(await near.closed).toMatchObject({ code: 'overloaded' })
    await expect(near.drained()).rejects.toMatchObject({ code: 'overloaded' })
    expect(await far.closed).toMatchObject({ code: 'connection_lost' })
  })

  it('stays open while its reader is away for longer than silence lasts', async () => {
    const limits = { heartbeatIntervalMs: 50, heartbeatSilenceMs: 150 }
    const { near, far } = await pair({ limits }, { limits })
    void (async () => {
      for (let index = 0; index < 300; index += 1) await near.send(new Uint8Array(60 * 1024))
      await near.close()
    })().catch(() => undefined)
    await delay(600)
    expect((await collect(far.messages())).length).toBe(300)
    expect(await far.closed).toBeUndefined()
  })

  it('stays open with nothing to say, by heartbeats that no consumer sees', async () => {
    const limits = { heartbeatIntervalMs: 30, heartbeatSilenceMs: 90 }
    const { near, far } = await pair({ limits }, { limits })
    const received = collect(far.messages())
    await delay(400)
    await near.close()
    expect(await received).toEqual([])
    expect(await near.closed).toBeUndefined()
  })

  it('survives a stall of its own event loop', async () => {
    const limits = { heartbeatIntervalMs: 100, heartbeatSilenceMs: 300 }
    const { near } = await pair({ limits }, { limits })
    const until = Date.now() + 900
    while (Date.now() < until) Math.sqrt(until)
    expect(await Promise.race([near.closed, delay(250, 'open')])).toBe('open')
  })

  it('tells both sides when it is aborted, and the aborting one why', async () => {
    const { near, far } = await pair()
    const read = rejection(collect(far.messages()))
    near.abort(new MacaroondError('peer_refused', 'not any more'))
    expect(await near.closed).toMatchObject({ code: 'peer_refused' })
    await expect(collect(near.messages())).rejects.toMatchObject({ code: 'peer_refused' })
    expect(await far.closed).toMatchObject({ code: 'connection_lost' })
    expect(await read).toBeInstanceOf(MacaroondError)
  })

  it('turns foreign errors into its own, and ends once', async () => {
    const { near, far } = await pair()
    near.abort(new TypeError('a bug'))
    near.abort(new MacaroondError('peer_refused', 'later'))
    await near.close()
    expect(await near.closed).toMatchObject({ code: 'closed', message: 'a bug' })
    await far.closed
  })

  it('takes no more after it ended, without throwing', async () => {
    const { near, far } = await pair()
    await near.close()
    expect(near.write(new Uint8Array(1))).toBe(false)
    await expect(near.drained()).rejects.toMatchObject({ code: 'connection_lost' })
    await expect(near.send(new Uint8Array(1))).rejects.toBeInstanceOf(MacaroondError)
    await far.closed
    expect(far.write(new Uint8Array(1))).toBe(false)
    near.abort(new Error('again'))
    expect(await near.closed).toBeUndefined()
  })

  it('closed by both sides at once ends in order on both', async () => {
    const { near, far } = await pair()
    await Promise.all([near.close(), far.close()])
    expect([await near.closed, await far.closed]).toEqual([undefined, undefined])
  })

  it('sends no heartbeat into its own end, and one aborted while it ends is gone all the same', async () => {
    const limits = { heartbeatIntervalMs: 1, heartbeatSilenceMs: 5_000 }
    for (let round = 0; round < 60; round += 1) {
      const { near, far } = await pair({ limits }, { limits })
      await delay(round % 4)
      const closing = near.close()
      if (round % 3 === 0) await delay(0)
      if (round % 2 === 0) near.abort(new Error('in a hurry'))
      await closing
      const hurried = round % 2 === 0
      // Aborted too late, when the end was through already, it has ended in order.
      expect([undefined, hurried ? 'closed' : undefined]).toContain((await near.closed)?.code)
      await far.closed
    }
  })

  it('gives up closing when the other side never reads', async () => {
    const { near, far } = await pair({}, { limits: { closeTimeoutMs: 200 } })
    for (let index = 0; index < 130; index += 1) near.write(new Uint8Array(60 * 1024))
    await near.close()
    expect(await near.closed).toMatchObject({ code: 'timeout' })
    expect(await far.closed.then((error) => error?.code)).toBe('connection_lost')
  })

  it('leaves no timer and no socket behind', async () => {
    const count = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length
    const before = count()
    const { near, server } = await pair()
    await near.send(Buffer.from('x'))
    await near.close()
    await server.listener.close()
    await until(() => count() <= before)
  })
})
