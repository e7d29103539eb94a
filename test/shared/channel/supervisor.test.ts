import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../shared/channel/connection.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import {
  superviseConnection,
  type SupervisionState,
  type SuperviseOptions,
} from '../../../shared/channel/supervisor.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { silentLog } from '../../../shared/log.ts'
import { cleanup, dialTo, serve, type Server, until } from './pair.ts'

interface Supervised {
  readonly states: SupervisionState[]
  readonly stop: AbortController
  readonly done: Promise<void>
}

async function readAll(connection: Connection): Promise<void> {
  for await (const message of connection.messages()) void message
}

function supervise(server: Pick<Server, 'listener'>, options: Partial<SuperviseOptions> = {}): Supervised {
  const stop = new AbortController()
  const states: SupervisionState[] = []
  const done = superviseConnection({
    dial: (signal) => dialTo(server.listener, { signal }),
    run: (connection, retire) => {
      retire.addEventListener('abort', () => void connection.close())
      return readAll(connection)
    },
    signal: stop.signal,
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    onState: (state) => states.push(state),
    ...options,
  })
  cleanup(() => {
    stop.abort()
    return done
  })
  return { states, stop, done }
}

describe('a supervised connection', () => {
  it('comes back each time it is lost, and closes in order on request', async () => {
    const server = await serve()
    const { states, stop, done } = supervise(server)
    // The server is through with the handshake a moment before the dialer is.
    const connected = (times: number): Promise<void> =>
      until(() => states.filter(({ phase }) => phase === 'connected').length === times)
    for (let round = 1; round <= 3; round += 1) {
      const far = await server.accepted()
      await connected(round)
      far.abort(new Error('lost'))
    }
    const last = await server.accepted()
    await connected(4)
    stop.abort()
    await done
    expect(await last.closed).toBeUndefined()
    expect(states.at(-1)).toEqual({ phase: 'stopped' })
  })

  it('comes up when the server does', async () => {
    const first = await serve()
    const { address } = first.listener
    await first.listener.close()
    const { states } = supervise({ listener: first.listener }, { dial: (signal) => dialTo({ address }, { signal }) })
    await until(() => states.some(({ phase }) => phase === 'waiting'))
    const second = await serve({ address })
    await second.accepted()
  })

  it('logs a refusal once and not at each attempt, and again when the reason changes', async () => {
    const lines: string[] = []
    const log = pino({}, { write: (line: string) => void lines.push(line) })
    let code: 'peer_refused' | 'overloaded' = 'peer_refused'
    const server = await serve({
      accept: () => ({ ok: false, error: { code, message: 'no', hint: 'ask the operator' } }),
    })
    const { states } = supervise(server, { log, entropy: { ...systemEntropy, uniform: () => 0.01 } })
    await until(() => states.filter(({ phase }) => phase === 'waiting').length === 4)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('ask the operator')
    code = 'overloaded'
    await until(() => lines.length === 2)
  })

  it('stops at once while it waits or dials', async () => {
    const server = await serve({ accept: () => ({ ok: false, error: { code: 'peer_refused', message: 'no' } }) })
    const { states, stop, done } = supervise(server, { entropy: { ...systemEntropy, uniform: () => 0.99 } })
    await until(() => states.filter(({ phase }) => phase === 'waiting').length === 3)
    stop.abort()
    await done
    const silent = supervise(server, { dial: (signal) => hang(signal) })
    await delay(1)
    silent.stop.abort()
    await silent.done
  })

  it('is replaced when it is old, the new one first, and no call notices', async () => {
    const server = await serve({
      onConnection: (connection) =>
        void serveRpc(connection, { methods: { slow: () => delay(20, 'ok') }, log: silentLog }),
    })
    let client: RpcClient | undefined
    const { states } = supervise(server, {
      overlap: true,
      ageMsMax: 120,
      run: async (connection, retire) => {
        const mine = new RpcClient(connection)
        client = mine
        retire.addEventListener('abort', () => void mine.close())
        await connection.closed
      },
    })
    await until(() => client !== undefined)
    const rotations = (): number => states.filter(({ phase }) => phase === 'connected').length
    let calls = 0
    for (; rotations() < 4; calls += 1) expect(await client?.call('slow', {})).toBe('ok')
    expect(calls).toBeGreaterThan(5)
    expect(states.every(({ phase }) => phase !== 'waiting')).toBe(true)
    await until(() => server.listener.connections().length === 1)
  })

  it('is replaced with the old one gone first where the other side takes only one', async () => {
    let most = 0
    const server = await serve({
      onConnection: () => void (most = Math.max(most, server.listener.connections().length)),
    })
    const { states } = supervise(server, { ageMsMax: 60 })
    await until(() => states.filter(({ phase }) => phase === 'connected').length === 4)
    expect(most).toBe(1)
  })

  it('whose user fails is lost, and reported with what the user threw', async () => {
    const server = await serve()
    const { states } = supervise(server, { run: () => Promise.reject(new TypeError('a bug')) })
    const waiting = (): SupervisionState | undefined => states.find(({ phase }) => phase === 'waiting')
    await until(() => waiting() !== undefined)
    expect(waiting()).toMatchObject({ error: { code: 'internal', message: 'a bug' } })
  })

  it('that is dropped again and again is dialed less and less often', async () => {
    const server = await serve({ onConnection: (connection) => connection.abort(new Error('dropped')) })
    const { states } = supervise(server, { entropy: { ...systemEntropy, uniform: () => 0.99 } })
    const waits = (): number[] => states.flatMap((state) => (state.phase === 'waiting' ? [state.delayMs] : []))
    await until(() => waits().length === 4)
    expect(waits().map((ms) => Math.round(ms / 10) * 10)).toEqual([20, 40, 80, 160])
  })
})

function hang(signal: AbortSignal): Promise<Connection> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('called off'))))
}
