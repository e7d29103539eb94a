import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../shared/channel/connection.ts'
import { frame } from '../../../shared/channel/framing.ts'
import { RpcClient, type RpcClientOptions } from '../../../shared/channel/rpc-client.ts'
import { type RpcMethod, type RpcServer, serveRpc, type ServeOptions } from '../../../shared/channel/rpc-server.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { silentLog } from '../../../shared/log.ts'
import { clientIdentity, collect, pair, rawWelcomed, rejection, serve, until } from './pair.ts'

type Methods = Record<string, RpcMethod>

interface Ends {
  readonly client: RpcClient
  readonly server: RpcServer
  readonly near: Connection
  readonly far: Connection
}

async function ends(
  methods: Methods,
  serving: Partial<ServeOptions> = {},
  calling: RpcClientOptions = {},
): Promise<Ends> {
  const { near, far } = await pair()
  const server = serveRpc(far, { methods, log: silentLog, ...serving })
  return { client: new RpcClient(near, calling), server, near, far }
}

const echo: RpcMethod = (params) => params
const never: RpcMethod = () => new Promise(() => undefined)

describe('a call', () => {
  it('brings back what the method returned, whatever JSON that is', async () => {
    const { client } = await ends({ echo, nothing: () => undefined })
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        expect(await client.call('echo', value)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(await client.call('nothing', undefined)).toBeNull()
  })

  it('tells the method who calls', async () => {
    const { client } = await ends({ who: (_params, { peerId, remoteAddress }) => ({ peerId, remoteAddress }) })
    expect(await client.call('who', {})).toEqual({ peerId: clientIdentity.peerId, remoteAddress: '127.0.0.1' })
  })

  it('does not wait for the ones before it', async () => {
    const { client } = await ends({ echo, slow: () => delay(200, 'slow') })
    const order: unknown[] = []
    const slow = client.call('slow', {}).then((result) => order.push(result))
    await Promise.all([1, 2, 3].map((value) => client.call('echo', value).then((result) => order.push(result))))
    await slow
    expect(order).toEqual([1, 2, 3, 'slow'])
  })

  it('gets its own answer among a thousand that come back in any order', async () => {
    const { client } = await ends({ late: async (value) => delay(Number(value) % 7, value) })
    const values = Array.from({ length: 1000 }, (_, index) => index)
    expect(await Promise.all(values.map((value) => client.call('late', value)))).toEqual(values)
  })

  it('fails with the error the method threw, hint and all', async () => {
    const { client } = await ends({
      refuse: () => {
        throw new MacaroondError('org_unknown', 'there is no org acme', { hint: 'create it first' })
      },
    })
    const error = await rejection(client.call('refuse', {}))
    expect(error).toBeInstanceOf(MacaroondError)
    expect(error).toMatchObject({ code: 'org_unknown', message: 'there is no org acme', hint: 'create it first' })
  })

  it('learns nothing from an error inside the method, and the log has it all', async () => {
    const lines: string[] = []
    const log = pino({}, { write: (line: string) => void lines.push(line) })
    const broken: Methods = {
      foreign: () => {
        throw new Error('password=hunter2')
      },
      ours: () => {
        throw new MacaroondError('internal', 'password=hunter2', { hint: 'hunter2' })
      },
      thrown: () => Promise.reject(new RangeError('password=hunter2')),
      cyclic: () => {
        const result: { self?: unknown } = {}
        return Object.assign(result, { self: result })
      },
      huge: () => 'x'.repeat(2 * 1024 * 1024),
    }
    const { client } = await ends(broken, { log })
    for (const method of Object.keys(broken)) {
      const error = await rejection(client.call(method, {}))
      expect(error).toMatchObject({ code: 'internal', hint: undefined })
      expect(String(error)).not.toContain('hunter2')
    }
    expect(lines).toHaveLength(5)
    expect(lines.join()).toContain('hunter2')
  })

  it('of a method that is not there is refused, also where every object has one of that name', async () => {
    const { client } = await ends({ echo })
    for (const method of ['none', 'constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      await expect(client.call(method, {})).rejects.toMatchObject({ code: 'request_invalid' })
    }
    expect(await client.call('echo', 'still here')).toBe('still here')
  })

  it('with prototype keys in its parameters changes no prototype', async () => {
    const { client } = await ends({ merge: (params) => Object.keys(Object.assign({}, params as object)) })
    const params = JSON.parse(
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"a":1}',
    ) as unknown
    expect(await client.call('merge', params)).toEqual(['constructor', 'a'])
    expect({}).not.toHaveProperty('admin')
  })

  it('times out on its own, and its late answer disturbs nobody', async () => {
    const { client } = await ends({ echo, slow: () => delay(80, 'late') })
    await expect(client.call('slow', {}, { timeoutMs: 20 })).rejects.toMatchObject({ code: 'timeout' })
    await delay(120)
    expect(await client.call('echo', 1)).toBe(1)
  })

  it('can be called off', async () => {
    const { client } = await ends({ never })
    const cancel = new AbortController()
    const call = rejection(client.call('never', {}, { signal: cancel.signal }))
    cancel.abort()
    expect(await call).toMatchObject({ code: 'closed' })
    expect(await rejection(client.call('never', {}, { signal: cancel.signal }))).toMatchObject({ code: 'closed' })
    expect(client.inFlight).toBe(0)
  })

  it('above the number in flight is refused on the caller’s side without being sent', async () => {
    const { client, server } = await ends({ never }, {}, { inFlightMax: 2 })
    const calls = [1, 2, 3].map((value) => rejection(client.call('never', value, { timeoutMs: 100 })))
    expect(await calls[2]).toMatchObject({ code: 'overloaded' })
    await until(() => server.inFlight === 2)
    expect(await Promise.all(calls.slice(0, 2))).toMatchObject([{ code: 'timeout' }, { code: 'timeout' }])
  })

  it('above the number in flight is refused on the other side too', async () => {
    const { client } = await ends({ never, echo }, { inFlightMax: 2 })
    const calls = [1, 2, 3].map((value) => rejection(client.call('never', value, { timeoutMs: 100 })))
    expect(await calls[2]).toMatchObject({ code: 'overloaded' })
    await Promise.all(calls)
  })

  it('whose parameters are no JSON or too large fails alone', async () => {
    const { client } = await ends({ echo })
    await expect(client.call('echo', 1n)).rejects.toMatchObject({ code: 'request_invalid' })
    await expect(client.call('echo', 'x'.repeat(2 ** 20))).rejects.toMatchObject({ code: 'request_invalid' })
    expect(await client.call('echo', 'x'.repeat(900_000))).toHaveLength(900_000)
  })

  it('waits instead of running into the backlog cap when many large ones are made at once', async () => {
    const { client } = await ends({ echo })
    const calls = Array.from({ length: 40 }, () => client.call('echo', 'x'.repeat(900_000), { timeoutMs: 15_000 }))
    expect((await Promise.all(calls)).every((result) => String(result).length === 900_000)).toBe(true)
  })

  it('fails with connection_lost when the connection goes, as all others and all later ones do', async () => {
    const aborts = (far: Connection): void => far.abort(new Error('gone'))
    const closes = (far: Connection): void => void far.close()
    for (const end of [aborts, closes]) {
      const { client, far } = await ends({ never })
      const calls = [1, 2, 3].map(() => rejection(client.call('never', {})))
      await delay(10)
      end(far)
      for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'connection_lost' })
      await expect(client.call('never', {})).rejects.toMatchObject({ code: 'connection_lost' })
    }
  })
})

describe('closing', () => {
  it('a client waits for its calls in flight and takes no more', async () => {
    const { client, near } = await ends({ slow: () => delay(80, 'done') })
    const call = client.call('slow', {})
    const closed = client.close()
    await expect(client.call('slow', {})).rejects.toMatchObject({ code: 'closed' })
    expect(await call).toBe('done')
    await closed
    expect(await near.closed).toBeUndefined()
  })

  it('a client waits only so long', async () => {
    const { client } = await ends({ never }, {}, { closeTimeoutMs: 30 })
    const call = rejection(client.call('never', {}))
    await client.close()
    expect(await call).toMatchObject({ code: 'connection_lost' })
  })

  it('a server answers what is in flight and refuses the rest', async () => {
    const { client, server, far } = await ends({ slow: () => delay(80, 'done') })
    const call = client.call('slow', {})
    await until(() => server.inFlight === 1)
    const closed = server.close()
    await expect(client.call('slow', {})).rejects.toMatchObject({ code: 'closed' })
    expect(await call).toBe('done')
    await closed
    await server.done
    expect(await far.closed).toBeUndefined()
  })

  it('a server waits a bounded time, and tells methods that nobody waits any more', async () => {
    let told = false
    const patient: RpcMethod = (_params, { signal }) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          told = true
          resolve(null)
        }),
      )
    const { client, server } = await ends({ patient }, { closeTimeoutMs: 30 })
    const call = rejection(client.call('patient', {}))
    await until(() => server.inFlight === 1)
    await server.close()
    await server.done
    expect(told).toBe(true)
    expect(await call).toMatchObject({ code: 'connection_lost' })
  })
})

describe('a peer that breaks the rules', () => {
  it('is cut off for a malformed request', async () => {
    const requests = [
      '{',
      '[]',
      '{}',
      '{"id":0,"method":"echo"}',
      '{"id":1.5,"method":"echo"}',
      '{"id":"1","method":"echo"}',
    ]
    requests.push('{"id":1}', '{"id":1,"method":""}', '{"id":1,"method":5}', `{"id":1,"method":"${'m'.repeat(65)}"}`)
    const server = await serve()
    for (const request of requests) {
      const { secure, far } = await rawWelcomed(server)
      const serving = serveRpc(far, { methods: { echo }, log: silentLog })
      secure.send(frame(Buffer.from(request)))
      expect(await far.closed).toMatchObject({ code: 'protocol_violation' })
      await serving.done
    }
  })

  it('is cut off for using the id of a call in flight', async () => {
    const { secure, far } = await rawWelcomed(await serve())
    serveRpc(far, { methods: { never }, log: silentLog })
    for (let index = 0; index < 2; index += 1) secure.send(frame(Buffer.from('{"id":1,"method":"never"}')))
    expect(await far.closed).toMatchObject({ code: 'protocol_violation' })
  })

  it('is cut off for answering what nobody asked, or with what is no answer', async () => {
    for (const answer of ['{"id":9,"result":1}', '{"id":1}', '{"id":1,"error":5}', '{"id":1,"error":{}}', 'null']) {
      const { near, far } = await pair()
      const client = new RpcClient(near)
      const call = rejection(client.call('echo', {}))
      far.write(Buffer.from(answer))
      expect(await near.closed).toMatchObject({ code: 'protocol_violation' })
      expect(await call).toMatchObject({ code: 'connection_lost' })
    }
  })

  it('gets no more requests read while it does not read its answers', async () => {
    const { near, far } = await pair()
    let handled = 0
    const count: RpcMethod = () => {
      handled += 1
      return 'x'.repeat(60_000)
    }
    serveRpc(far, { methods: { count }, log: silentLog })
    for (let id = 1; id <= 2000; id += 1) near.write(Buffer.from(JSON.stringify({ id, method: 'count' })))
    let before = -1
    for (; before !== handled; await delay(150)) before = handled
    expect(handled).toBeLessThan(1500)
    expect(far.backlogBytes).toBeLessThan(8 * 1024 * 1024)
    const answers = collect(near.messages())
    await until(() => handled === 2000)
    await far.close()
    expect((await answers).length).toBe(2000)
  })
})
