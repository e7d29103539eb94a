import { describe, expect, test } from 'vitest'
import { FeedClient } from '../../../replica/worker/feed-client.ts'
import { HomeRegion } from '../../../replica/worker/region.ts'
import { WorkerCache } from '../../../replica/worker/worker-cache.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import type { Identity } from '../../../shared/channel/identity.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { systemHost } from '../../../shared/service/host.ts'
import type { NodeAddress } from '../../../shared/config/client-options.ts'
import { ClockReader } from '../../../shared/freshness/clock-reader.ts'
import { fromWorker } from '../../../shared/protocol/feed.ts'
import { decodeMessage, encodeMessage } from '../../../shared/protocol/message.ts'
import { cleanup, clientIdentity, serve, serverIdentity, strangerIdentity, until } from '../../shared/channel/pair.ts'

const PLACE = { epoch: 1, timeline: 'a'.repeat(32) }
const NOW = { earliestMs: 1_800_000_000_000, latestMs: 1_800_000_000_000 }

interface Script {
  readonly identity?: Identity
  readonly region?: string
  readonly seq?: number
  /** Answers pings with this; null for not at all. */
  readonly granted?: object | null
  /** Sent after the beginning. */
  readonly rest?: readonly object[]
}

interface ScriptedReplica extends NodeAddress {
  readonly hellos: unknown[]
}

/** A real listener that says what a real replica never would. */
async function scripted({
  identity = serverIdentity,
  region = 'fra',
  seq = 3,
  granted = {},
  rest = [],
}: Script): Promise<ScriptedReplica> {
  const hellos: unknown[] = []
  const boot = systemEntropy.bytes(16).toString('hex')
  const onConnection = async (connection: Connection): Promise<void> => {
    hellos.push(connection.hello)
    for (const message of [{ t: 'begin', ...PLACE, seq }, ...rest]) connection.write(encodeMessage(message))
    for await (const frame of connection.messages()) {
      const said = decodeMessage(frame, fromWorker)
      if (said.t !== 'ping' || granted === null) continue
      const answer = { t: 'granted', id: said.id, boot, ...PLACE, seq, txid: 1, leaseMs: 3_000, ageMs: 0, ...NOW }
      connection.write(encodeMessage({ ...answer, ...granted }))
    }
  }
  const { listener } = await serve({
    identity,
    onConnection: (connection) => void onConnection(connection).catch(() => undefined),
    accept: () => ({ ok: true, welcome: { boot, region, pingMs: 50 } }),
  })
  return { address: listener.address, peerId: identity.peerId, hellos }
}

function follow(...replicas: readonly NodeAddress[]): { client: FeedClient; cache: WorkerCache } {
  const clock = new ClockReader(systemClock)
  const seed = new Uint8Array(8).fill(9)
  const cache = new WorkerCache({ bounds: { entries: 10, bytes: 1e6 }, seed, now: () => clock.read() })
  const client = new FeedClient({
    cluster: 'test',
    replicas: replicas.map(({ address, peerId }) => ({ address, peerId })),
    identity: clientIdentity,
    boot: 'b'.repeat(32),
    cache,
    region: new HomeRegion({ region: 'fra', crossRegion: false }),
    host: systemHost,
  })
  cleanup(async () => {
    await client.close()
    clock.close()
  })
  return { client, cache }
}

function rows(...numbers: readonly number[]): object {
  const name = { kind: 'token', kid: '0'.repeat(16), nonce: '0'.repeat(32), expiresAt: 0 }
  const [after, through] = [(numbers[0] ?? 1) - 1, numbers.at(-1)]
  return { t: 'revoked', after, rows: numbers.map((seq) => ({ seq, ...name })), through }
}

describe('the feed of a replica', () => {
  test('gives the worker a lease, and reports its position', async () => {
    const replica = await scripted({ rest: [rows(4, 5)] })
    const { client, cache } = follow(replica)
    await until(() => cache.statistics().leaseRemainingMs > 0)
    expect(client.connected).toBe(replica.peerId)
    expect(cache.statistics()).toMatchObject({ applied: { epoch: 1, seq: 5 }, replica: replica.peerId })
    expect(replica.hellos).toEqual([{ boot: 'b'.repeat(32), timeline: null, seq: 0 }])
  })

  test('that skips a revocation is left, and begun anew from nothing', async () => {
    const replica = await scripted({ rest: [rows(4), rows(6)] })
    const { client, cache } = follow(replica)
    await until(() => replica.hellos.length >= 2)
    expect(replica.hellos[1]).toEqual({ boot: 'b'.repeat(32), timeline: null, seq: 0 })
    expect(cache.statistics().drops.gap).toBeGreaterThan(0)
    await until(() => client.error?.includes('a revocation is missing') === true)
  })

  test.each([
    ['answers no pings', { granted: null }],
    ['has not heard from its primary for a while', { granted: { ageMs: 2_000 } }],
    ['gives no lease', { granted: { leaseMs: 0 } }],
    ['says what is not in the protocol', { rest: [{ t: 'revoked', after: 3, rows: [], through: 0 }] }],
    ['is of another region', { region: 'sin' }],
  ] satisfies [string, Script][])('that %s is left for the next one of the region', async (_, script) => {
    const wrong = await scripted(script)
    const right = await scripted({ identity: strangerIdentity })
    const { client, cache } = follow(wrong, right)
    await until(() => client.connected === right.peerId && cache.statistics().replica === right.peerId)
    expect(client.error).toBeUndefined()
  })

  test('of a replica that gives no lease is followed on where there is no other', async () => {
    const replica = await scripted({ granted: { leaseMs: 0 } })
    const { client, cache } = follow(replica)
    await until(() => client.connected !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(replica.hellos).toHaveLength(1)
    expect(cache.statistics().leaseRemainingMs).toBe(0)
  })
})
