/** Nothing that comes in over a socket ends a node, or keeps it from serving those who may ask. */
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { ChannelName } from '../../../shared/channel/channel-name.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { TOKEN_TEXT_CHARS_MAX } from '../../../shared/limits.ts'
import { Cluster, codeOf, until } from './harness.ts'

async function started(): Promise<Cluster> {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await cluster.caughtUp()
  return cluster
}

async function expectServing(cluster: Cluster): Promise<void> {
  const signer = await cluster.signer()
  const minted = await signer.mint({ org: 'acme', subject: 'x' })
  const verifier = await cluster.verifier()
  const verdict = await verifier.verify(minted.token, { org: 'acme' }, { minPosition: minted.position })
  expect(verdict).toMatchObject({ ok: true })
  await signer.revoke({ token: minted.token })
  expect(await verifier.verify(minted.token, { org: 'acme' })).toMatchObject({ reason: 'revoked' })
}

function raw(address: string): Socket {
  const [host = '', port = ''] = address.split(':')
  const socket = connect({ host, port: Number(port) })
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  return socket
}

function addresses(cluster: Cluster): string[] {
  return [cluster.primary.address, cluster.replica().address]
}

test('garbage on every port, in any amount, is cut off', async () => {
  const cluster = await started()
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]),
    Buffer.alloc(100_000, 0xff),
    Buffer.alloc(100_000),
    Buffer.concat([Buffer.from([0, 32]), Buffer.alloc(32, 9), Buffer.from([0xff, 0xff]), Buffer.alloc(65535, 1)]),
  ]
  const cutOff = addresses(cluster).flatMap((address) =>
    garbage.map(async (bytes) => {
      const socket = raw(address)
      socket.write(bytes)
      await new Promise((resolve) => socket.once('close', resolve))
    }),
  )
  await Promise.all(cutOff)
  await expectServing(cluster)
})

test('a flood of half-open connections does not keep known peers out', async () => {
  const cluster = await started()
  const sockets = addresses(cluster).flatMap((address) => Array.from({ length: 300 }, () => raw(address)))
  for (const socket of sockets) socket.write(Buffer.from([0, 32]))
  await expectServing(cluster)
  for (const socket of sockets) socket.destroy()
})

const CALLS = [
  ['primary', 'sign', 'org.create'],
  ['primary', 'sign', 'org.list'],
  ['primary', 'sign', 'token.mint'],
  ['primary', 'sign', 'token.revoke'],
  ['primary', 'sign', 'revocations.list'],
  ['primary', 'sign', 'token.show'],
  ['primary', 'sign', 'tokens.list'],
  ['primary', 'sign', 'tokens.made-from'],
  ['primary', 'sign', 'whoami'],
  ['primary', 'admin', 'status'],
  ['primary', 'admin', 'audit.list'],
  ['fra', 'verify', 'verify'],
  ['fra', 'verify', 'whoami'],
  ['fra', 'admin', 'status'],
  ['fra', 'admin', 'audit.list'],
] as const

test('any parameters of any call, however wrong, get an answer or an error with a code', async () => {
  const cluster = await started()
  const clients = new Map<string, RpcClient>()
  const clientOf = async (node: 'primary' | 'fra', channel: ChannelName): Promise<RpcClient> => {
    const key = `${node}/${channel}`
    const dialed = clients.get(key)
    if (dialed !== undefined) return dialed
    const dial =
      node === 'primary' ? cluster.dialPrimary('operator', channel) : cluster.dialReplica('operator', channel)
    const client = new RpcClient(await dial)
    clients.set(key, client)
    return client
  }
  const keys = [
    'name',
    'org',
    'subject',
    'caveats',
    'ttlSeconds',
    'token',
    'id',
    'reason',
    'wait',
    'after',
    'limit',
    'sinceMs',
    'live',
    'actor',
    'kind',
  ]
  const more = ['access', 'peer', 'minPosition', '__proto__', 'constructor', 'toString']
  const near = fc.oneof(
    fc.constantFrom(
      'acme',
      'durable',
      'local',
      '*',
      '',
      'op = read',
      'time < 1',
      `${'0'.repeat(16)}.${'0'.repeat(32)}`,
    ),
    fc.constantFrom('mcn1_AgIBAAA.00000000', 'mcn1_', 'x'.repeat(TOKEN_TEXT_CHARS_MAX + 100), '\u0000', '\ud800'),
    fc.constantFrom(0, -1, 1e308, 2 ** 53, 0.5, 1, 1000),
  )
  const value = fc.oneof(near, fc.jsonValue({ maxDepth: 3 }), fc.array(near, { maxLength: 5 }))
  const params = fc.oneof(
    fc.dictionary(fc.constantFrom(...keys, ...more), value, { maxKeys: 8 }),
    fc.jsonValue({ maxDepth: 4 }),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...CALLS), params, async ([node, channel, method], wrong) => {
      const client = await clientOf(node, channel)
      // `wait` would wait for the replica; what it means is tested elsewhere.
      const code = await codeOf(client.call(method, wrong, { timeoutMs: 5_000 }))
      expect(code).not.toBe('internal')
      expect(code).not.toMatch(/timeout|connection_lost/)
    }),
    { numRuns: 600 },
  )
  await expectServing(cluster)
})

async function readAll(connection: Connection): Promise<void> {
  for await (const message of connection.messages()) expect(message.length).toBeGreaterThan(0)
}

test('a replica that talks nonsense on its channels is cut off, and the others go on', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'] })
  await (await cluster.signer()).createOrg('acme')
  await cluster.caughtUp('fra')
  // It is this one whose identity talks: beside it, that would be refused for being there twice.
  await cluster.stopReplica('sin')
  const hellos = [
    {},
    { position: 'x', timeline: 'y', signed: null, revocations: null, boot: 'b'.repeat(32) },
    { position: 7, timeline: null, signed: null, revocations: null, boot: 'b'.repeat(32) },
    {
      position: '1.ffffffffffffffff.0000000000000000',
      timeline: '0'.repeat(32),
      signed: null,
      revocations: null,
      boot: 'b'.repeat(32),
    },
    {
      position: '1.0000000000000001.0000000000000000',
      timeline: 'z'.repeat(32),
      signed: null,
      revocations: null,
      boot: 'b'.repeat(32),
    },
    {
      position: null,
      timeline: null,
      signed: { position: '', timeline: '0'.repeat(32), signature: 'A'.repeat(86) },
      revocations: null,
      boot: 'b'.repeat(32),
    },
  ]
  for (const hello of hellos) {
    expect(await codeOf(cluster.dialPrimary('sin', 'wal', hello))).toMatch(
      /protocol_violation|request_invalid|diverged|no error/,
    )
  }
  for (const hello of [
    {},
    { timeline: 'x', seq: -1 },
    { timeline: null, seq: 1e300 },
    { seq: 0, timeline: '0'.repeat(32) },
  ]) {
    await codeOf(cluster.dialPrimary('sin', 'revocations', hello))
  }
  const good = { position: null, timeline: null, signed: null, revocations: null, boot: 'b'.repeat(32) }
  const messages = [
    Buffer.from('{}'),
    Buffer.from('{"t":"ack","position":"x"}'),
    Buffer.from('{"t":"ack","position":"1.0000000000000001.8000000000000000"}'),
    Buffer.from('{"t":"ack","position":"9.0000000000000001.8000000000000000"}'),
    Buffer.from([1, 1, 2, 3]),
    Buffer.alloc(1024 * 1024, 0x7b),
  ]
  for (const message of messages) {
    const connection = await cluster.dialPrimary('sin', 'wal', good)
    // It may be cut off before all of it is sent.
    await connection.send(message).catch(() => undefined)
    expect(await codeOf(readAll(connection))).toBe('connection_lost')
  }
  await until(() => cluster.primary.writes === 'open', 'writes stay open')
  await expectServing(cluster)
})

test('two machines with one replica’s identity do not take turns: the returning one is refused', async () => {
  const cluster = await Cluster.start()
  await cluster.stopReplica()
  const as = (boot: string): Promise<Connection> =>
    cluster.dialPrimary('fra', 'revocations', { timeline: null, seq: 0, boot: boot.repeat(32), keks: [] })
  const first = await as('a')
  const second = await as('b')
  expect(await first.closed).toMatchObject({ code: 'connection_lost' })
  for (let count = 0; count < 3; count += 1) expect(await codeOf(as('a'))).toBe('peer_refused')
  second.abort(new Error('it is gone'))
  await until(async () => (await codeOf(as('a'))) === 'no error', 'the other one is gone, and this one is let in')
  await cluster.stop()
  const db = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'), { readonly: true })
  const details = db.prepare("SELECT detail FROM audit WHERE action = 'replica.refused'").pluck().all()
  db.close()
  expect(details).toEqual([expect.stringContaining('both are running')])
})

test('a message beyond the limit ends its connection and nothing else', async () => {
  const cluster = await started()
  const connection = await cluster.dialPrimary('operator', 'sign')
  expect(() => connection.write(Buffer.alloc(1024 * 1024 + 1))).toThrow(/too large|larger|bytes/)
  const nested = Buffer.from(`{"id":1,"method":"org.list","params":${'['.repeat(5000)}${']'.repeat(5000)}}`)
  await connection.send(nested).catch(() => undefined)
  expect(await connection.closed).not.toBe(undefined)
  await expectServing(cluster)
})

test('a replica that reports a revocation no table takes delays no write, and ends no lease', async () => {
  const cluster = await started()
  const signer = await cluster.signer()
  const { id, expiresAt } = await signer.mint({ org: 'acme', subject: 'x' })
  await cluster.stopReplica()
  const boot = 'd'.repeat(32)
  const hello = { timeline: null, seq: 0, boot, keks: [], denials: 1 }
  const liar = await cluster.dialPrimary('fra', 'revocations', hello)
  const say = (message: object): Promise<void> => liar.send(Buffer.from(JSON.stringify(message)))
  const key = { hex: id.replace('.', '') }
  const columns = { kind: 'token', org: 'acme', key, expires_at: 1.5e300, at_ms: 0, actor: 'x', reason: '' }
  const denial = { timeline: 'e'.repeat(32), epoch: 1, seq: 1, columns }
  await say({ t: 'denials', total: 1, first: true, last: true, denials: [denial] })
  await until(async () => (await cluster.primaryStatus()).revocationSeq === 1, 'the token is denied')
  expect(await signer.listRevocations()).toMatchObject({ revocations: [{ id, expiresAt }] })
  await say({ t: 'ping', id: 1, wallMs: Date.now() })
  for await (const frame of liar.messages()) {
    const text = Buffer.from(frame).toString('utf8')
    if (!text.includes('"granted"')) continue
    expect(JSON.parse(text.slice(text.indexOf('{')))).toMatchObject({ leaseMs: 5_000 })
    break
  }
})
