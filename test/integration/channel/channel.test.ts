import { HANDSHAKES_UNFINISHED_MAX } from '../../../shared/limits.ts'
import { type ChildProcess, spawn } from 'node:child_process'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { cleanup, clientIdentity, dialTo, rejection, serve, serverIdentity, until } from '../../shared/channel/pair.ts'

const SCRIPT = fileURLToPath(new URL('peer-process.ts', import.meta.url))

interface Peer {
  readonly child: ChildProcess
  readonly firstLine: string
  readonly exited: Promise<number | null>
}

/** Resolves when the process has printed its first line. */
async function start(...args: string[]): Promise<Peer> {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  cleanup(() => child.kill('SIGKILL'))
  const firstLine = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`exited with ${code}`)))
  })
  return { child, firstLine, exited }
}

describe('a peer in another process', () => {
  it('that is stopped is found dead, and one that is killed is found dead at once', async () => {
    const stopped = await start('listen')
    const toStopped = await dialTo({ address: stopped.firstLine })
    expect(await new RpcClient(toStopped).call('echo', 1)).toBe(1)
    stopped.child.kill('SIGSTOP')
    expect(await toStopped.closed).toMatchObject({
      code: 'connection_lost',
      message: 'the peer was silent for 3000 ms',
    })

    const killed = await start('listen')
    const toKilled = await dialTo({ address: killed.firstLine })
    // Stopped first, so that it cannot answer before it dies.
    killed.child.kill('SIGSTOP')
    const call = rejection(new RpcClient(toKilled).call('echo', 1))
    killed.child.kill('SIGKILL')
    expect(await call).toMatchObject({ code: 'connection_lost' })
    await toKilled.closed
  })

  it('exits by itself once everything is closed: no socket and no timer is left', async () => {
    const listening = await start('listen')
    const dialing = await start('dial', listening.firstLine)
    expect(dialing.firstLine).toBe('{"answer":42}')
    expect(await dialing.exited).toBe(0)
    const near = await dialTo({ address: listening.firstLine })
    listening.child.stdin?.end()
    expect(await near.closed).toBeUndefined()
    expect(await listening.exited).toBe(0)
  })
})

describe('an eavesdropper', () => {
  it('sees neither the messages nor the identity of the dialer', async () => {
    const server = await serve({
      accept: () => ({ ok: true, welcome: { welcome: 'SECRET-WELCOME' } }),
      onConnection: (connection) =>
        void serveRpc(connection, { methods: { echo: () => ({ answer: 'SECRET-ANSWER' }) }, log: silentLog }),
    })
    const seen: Buffer[] = []
    const proxy = await capture(server.listener.port, seen)
    const near = await dialTo({ address: proxy }, { channel: 'sign', hello: { hello: 'SECRET-HELLO' } })
    const client = new RpcClient(near)
    expect(await client.call('echo', { token: 'SECRET-TOKEN' })).toEqual({ answer: 'SECRET-ANSWER' })
    await client.close()
    const everything = Buffer.concat(seen)
    expect(everything.length).toBeGreaterThan(500)
    for (const text of [
      'SECRET',
      'echo',
      'sign',
      'protocol',
      'software',
      '"ok"',
      clientIdentity.peerId,
      serverIdentity.peerId,
    ]) {
      expect(everything.includes(text)).toBe(false)
    }
    expect(everything.includes(Buffer.from(clientIdentity.privateKey.publicKey.raw))).toBe(false)
  })

  it('can change, repeat, reorder or cut nothing without ending the connection', async () => {
    for (const tamper of ['flip', 'repeat', 'drop'] as const) {
      const server = await serve()
      let armed = false
      const proxy = await capture(server.listener.port, [], (chunk) => {
        if (!armed) return [chunk]
        if (tamper === 'drop') return []
        if (tamper === 'repeat') return [chunk, chunk]
        return [Buffer.from(chunk.map((byte, index) => (index === chunk.length - 3 ? byte ^ 1 : byte)))]
      })
      const near = await dialTo({ address: proxy })
      const far = await server.accepted()
      const seen: string[] = []
      const reading = (async () => {
        for await (const message of far.messages()) seen.push(Buffer.from(message).toString())
      })().catch((error: unknown) => expect(error).toMatchObject({ code: 'connection_lost' }))
      near.write(Buffer.from('first'))
      await until(() => seen.length === 1)
      armed = true
      near.write(Buffer.from('second'))
      await delay(50)
      armed = false
      near.write(Buffer.from('third'))
      expect(await far.closed).toMatchObject({ code: 'connection_lost' })
      await reading
      expect(seen).toEqual(tamper === 'repeat' ? ['first', 'second'] : ['first'])
    }
  })
})

describe('a flood of four thousand half-open sockets', () => {
  it('does not lock honest peers out', async () => {
    const server = await serve()
    const sockets: Socket[] = []
    cleanup(() => sockets.forEach((socket) => socket.destroy()))
    let honest = 0
    for (let wave = 0; wave < 40; wave += 1) {
      for (let index = 0; index < 100; index += 1) {
        const socket = connect(server.listener.port, '127.0.0.1')
        socket.on('error', () => undefined)
        sockets.push(socket)
      }
      const near = await dialTo(server.listener)
      await near.close()
      honest += 1
      expect(server.listener.unfinished()).toBeLessThanOrEqual(HANDSHAKES_UNFINISHED_MAX)
    }
    expect(honest).toBe(40)
    await until(() => server.refusals.length >= 4000 - HANDSHAKES_UNFINISHED_MAX)
    expect(
      server.refusals.every(({ error }) => ['overloaded', 'timeout', 'connection_lost'].includes(error.code)),
    ).toBe(true)
  })
})

/** A TCP proxy to `port` that keeps all bytes of both directions, and may change those towards the server. */
async function capture(port: number, seen: Buffer[], change = (chunk: Buffer): Buffer[] => [chunk]): Promise<string> {
  const proxy = createServer((inward) => {
    const outward = connect(port, '127.0.0.1')
    for (const socket of [inward, outward]) socket.on('error', () => inward.destroy() && outward.destroy())
    inward.on('data', (chunk) => {
      seen.push(chunk)
      for (const each of change(chunk)) outward.write(each)
    })
    outward.on('data', (chunk) => {
      seen.push(chunk)
      inward.write(chunk)
    })
    inward.on('end', () => outward.end())
    outward.on('end', () => inward.end())
    cleanup(() => inward.destroy() && outward.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  cleanup(() => proxy.close())
  return `127.0.0.1:${(proxy.address() as AddressInfo).port}`
}
