/** What a service learns of its verifier: `ready`, `health`, events and the cause of a verdict, before real nodes. */
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  createVerifier,
  MacaroondError,
  type Verifier,
  type VerifierEvents,
  type VerifierOptions,
} from '../../../replica/worker/sdk.ts'
import { createSigner } from '../../../primary/signer/sdk.ts'
import type { NodeAddress } from '../../../shared/config/client-options.ts'
import { Cluster, CLUSTER, identityOf, peerEntry, seedOf, until, type Who } from '../cluster/harness.ts'
import { ACCESS, FRESHNESS, known, SHORT_LEASE, started, Worker } from './fixture.ts'

const IN_ONE_REGION = { regions: ['fra', 'sin'], replica: { region: 'fra' } } as const

function nodeOf(cluster: Cluster, name: 'fra' | 'sin', pin: Who = name): NodeAddress {
  return { address: cluster.replica(name).address, peerId: identityOf(pin).peerId }
}

async function verifierOf(replicas: readonly NodeAddress[], options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const verifier = await createVerifier({ cluster: CLUSTER, identity: seedOf('worker'), replicas, ...options })
  onTestFinished(() => verifier.close())
  return verifier
}

async function failureOf(promise: Promise<unknown>): Promise<MacaroondError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof MacaroondError)) throw new Error(`no failure: ${String(error)}`)
  return error
}

const wrong = {
  cluster: {
    options: (cluster: Cluster) => ({ replicas: [nodeOf(cluster, 'fra')], cluster: 'tset' }),
    option: 'cluster',
    code: 'handshake_failed',
  },
  'pinned key': {
    options: (cluster: Cluster) => ({ replicas: [nodeOf(cluster, 'fra', 'sin')] }),
    option: 'replicas[0].peerId',
    code: 'peer_mismatch',
  },
  identity: {
    options: (cluster: Cluster) => ({ replicas: [nodeOf(cluster, 'fra')], identity: seedOf('stranger') }),
    option: 'identity',
    code: 'peer_refused',
  },
} as const

test.each(Object.entries(wrong))(
  'a wrong %s is an error of ready, and the cause of every verdict',
  async (_, { options, option, code }) => {
    const cluster = await Cluster.start()
    const { replicas, ...others } = options(cluster)
    const verifier = await verifierOf(replicas, others)
    const startedMs = performance.now()
    const error = await failureOf(verifier.ready({ timeoutMs: 20_000 }))
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect(error).toMatchObject({ code, cause: { code }, hint: expect.any(String) })
    for (const part of [option, cluster.replica().address]) expect(error.message).toContain(part)
    for (const token of ['one', 'another']) {
      const verdict = await verifier.verify(token, ACCESS)
      const cause = { code, option, address: cluster.replica().address }
      expect(verdict).toMatchObject({ ok: false, reason: 'unavailable', cause })
      expect(verdict).toHaveProperty('message', expect.stringContaining(option))
    }
    const { serving, replica, replicas: all } = verifier.health()
    expect({ serving, replica, problem: all[0]?.problem?.option }).toEqual({
      serving: false,
      replica: null,
      problem: option,
    })
  },
)

test('a role that may not is an error of ready that names the role', async () => {
  const cluster = Cluster.create()
  await cluster.startPrimary()
  await cluster.startReplica('fra', { peers: [peerEntry('acme', { role: 'signer', orgs: ['acme'] })] })
  const verifier = await verifierOf([nodeOf(cluster, 'fra')], { identity: seedOf('acme') })
  const error = await failureOf(verifier.ready())
  expect(error).toMatchObject({
    code: 'peer_refused',
    message: expect.stringContaining('a signer may not open verify'),
  })
  expect(error.message).toContain('option identity')
})

test('one replica serves while health shows the wrong pin of the other', async () => {
  const { cluster, signer } = await started(IN_ONE_REGION)
  const { token, position } = await signer.mint({ org: 'acme', subject: 'alice' })
  const verifier = await verifierOf([nodeOf(cluster, 'fra', 'stranger'), nodeOf(cluster, 'sin')], { timeoutMs: 3_000 })
  await verifier.ready()
  expect(await verifier.verify(token, ACCESS, { minPosition: position })).toMatchObject({ ok: true })
  await until(() => verifier.health().replicas[1]?.serving === true, 'the second replica has shown that it serves')
  const health = verifier.health()
  expect(JSON.parse(JSON.stringify(health))).toEqual(health)
  expect(health).toMatchObject({
    serving: true,
    replica: nodeOf(cluster, 'sin'),
    replicas: [
      { connected: false, serving: false, problem: { code: 'peer_mismatch', option: 'replicas[0].peerId' } },
      { connected: true, serving: true, problem: null },
    ],
  })
  await cluster.stopReplica('sin')
  await until(async () => (await verifier.verify('x', ACCESS)).ok === false && !verifier.health().serving, 'it is down')
  const last = await verifier.verify('x', ACCESS)
  expect(last).toMatchObject({ reason: 'unavailable', cause: { code: 'peer_mismatch', option: 'replicas[0].peerId' } })
})

test.each([true, false])('a replica that is down is a timeout of ready with its cause (cache: %s)', async (cache) => {
  const cluster = await Cluster.start()
  const replica = nodeOf(cluster, 'fra')
  await cluster.stopReplica()
  const verifier = await verifierOf([replica], { cache })
  const error = await failureOf(verifier.ready({ timeoutMs: 400 }))
  expect(error).toMatchObject({ code: 'timeout', cause: { code: 'connect_failed' } })
  expect(error.message).toContain(replica.address)
  expect(await verifier.verify('x', ACCESS, { timeoutMs: 200 })).toMatchObject({
    reason: 'unavailable',
    cause: { code: 'connect_failed', option: null },
  })
})

test.each([true, false])('a replica without a lease does not make ready (cache: %s)', async (cache) => {
  const { cluster } = await started(SHORT_LEASE)
  const link = await cluster.proxy('fra')
  const verifier = await verifierOf([nodeOf(cluster, 'fra')], { cache })
  await verifier.ready()
  expect(verifier.health()).toMatchObject({ serving: true, replica: nodeOf(cluster, 'fra') })
  link.down = true
  link.cutAll()
  await until(() => !verifier.health().serving, 'the lease has run out')
  await until(() => verifier.health().replicas[0]?.problem !== null, 'the replica has said why')
  expect(verifier.health().replicas[0]).toMatchObject({
    connected: true,
    serving: false,
    problem: { code: 'replica_unavailable', message: expect.stringContaining('lease'), option: null },
  })
  const { sinceMs } = verifier.health()
  expect(Date.now() - sinceMs).toBeLessThan(30_000)
  const error = await failureOf(verifier.ready({ timeoutMs: 300 }))
  expect(error).toMatchObject({ code: 'timeout', cause: { code: 'replica_unavailable' } })
  link.down = false
  await verifier.ready({ timeoutMs: 20_000 })
  expect(verifier.health().serving).toBe(true)
  expect(verifier.health().sinceMs).toBeGreaterThanOrEqual(sinceMs)
})

test('one replica serves while health shows that the other has no lease', async () => {
  const { cluster, signer } = await started({ ...IN_ONE_REGION, primary: { freshness: FRESHNESS } })
  const { token } = await signer.mint({ org: 'acme', subject: 'alice' })
  await cluster.caughtUp('sin')
  const verifier = await verifierOf([nodeOf(cluster, 'fra'), nodeOf(cluster, 'sin')], {
    cache: false,
    timeoutMs: 2_000,
  })
  await verifier.ready()
  const link = await cluster.proxy('fra')
  link.down = true
  link.cutAll()
  await until(() => verifier.health().replicas[0]?.problem?.code === 'replica_unavailable', 'fra has no lease')
  expect(verifier.health()).toMatchObject({ serving: true, replica: nodeOf(cluster, 'sin') })
  expect(await verifier.verify(token, ACCESS)).toMatchObject({ ok: true })
})

test('events tell of the lease, of revocations and of the replica, and their errors are harmless', async () => {
  const { cluster, signer } = await started({ ...IN_ONE_REGION, primary: { freshness: FRESHNESS } })
  const line = () => vi.fn<(fields: object, message: string) => void>()
  const logger = { debug: line(), info: line(), warn: line(), error: line() }
  const worker = await Worker.start(cluster, { logger }, ['fra', 'sin'])
  const { verifier } = worker
  const heard: (readonly [string, unknown])[] = []
  for (const name of ['leaseLost', 'leaseBack', 'revoked', 'replicaChanged'] as const) {
    verifier.on(name, (event: VerifierEvents[typeof name]) => {
      heard.push([name, event])
      throw new Error('a fault of the service')
    })
    verifier.on(name, () => Promise.reject(new Error('another fault')))
  }
  const silent = vi.fn<() => void>()
  verifier.on('revoked', silent)()
  const { token, id } = await known(signer, worker)
  await signer.revoke({ id })
  await until(() => heard.some(([name]) => name === 'revoked'), 'the revocation is an event')
  expect(heard.find(([name]) => name === 'revoked')?.[1]).toEqual({ seq: 1, kind: 'token', id })
  expect(await worker.say(token)).toBe('revoked')
  await signer.revokeIssued({ org: 'acme', subject: 'bob', issuedUpToMs: 5 })
  const cutOff = { seq: 2, kind: 'subject', org: 'acme', subject: 'bob', issuedUpToMs: 5 }
  await until(() => JSON.stringify(heard).includes(JSON.stringify(cutOff)), 'so is a cut-off')
  const { address, peerId } = verifier.health().replica ?? {}
  worker.cut()
  await until(() => heard.some(([name]) => name === 'leaseLost'), 'the lease is lost')
  await until(() => heard.some(([, event]) => JSON.stringify(event).includes('"to":null')), 'no replica is asked')
  expect(heard.find(([name]) => name === 'replicaChanged')?.[1]).toMatchObject({ from: { address, peerId } })
  worker.heal()
  await until(() => heard.some(([name]) => name === 'leaseBack'), 'the lease is back')
  expect(heard.find(([name]) => name === 'leaseBack')?.[1]).toEqual({ atMs: expect.any(Number) })
  expect(silent).not.toHaveBeenCalled()
  expect(logger.error).toHaveBeenCalledWith(
    { listener: 'revoked', reason: 'a fault of the service' },
    expect.any(String),
  )
  expect(logger.error).toHaveBeenCalledWith({ listener: 'revoked', reason: 'another fault' }, expect.any(String))
  const warned = logger.warn.mock.calls.map(([, message]) => String(message))
  expect(warned).toContain('the lease has ended, and the cache is empty')
  expect(JSON.stringify(Object.values(logger).map(({ mock }) => mock.calls))).not.toContain(token)
})

test('a logger that throws changes nothing', async () => {
  const cluster = await Cluster.start()
  const fail = (): never => {
    throw new Error('the disk of the log is full')
  }
  const logger = { debug: fail, info: fail, warn: fail, error: fail }
  const verifier = await verifierOf([nodeOf(cluster, 'fra')], { logger })
  await verifier.ready()
  expect(verifier.health().serving).toBe(true)
})

test('a verifier and a signer log why they are not connected, and to which address', async () => {
  const cluster = await Cluster.start()
  const warn = vi.fn<(fields: object, message: string) => void>()
  const quiet = (): void => undefined
  const logger = { debug: quiet, info: quiet, warn, error: quiet }
  const [replica, primary] = [nodeOf(cluster, 'fra', 'sin'), cluster.primary.address]
  const verifier = await verifierOf([replica], { logger })
  const options = { cluster: CLUSTER, identity: seedOf('worker'), timeoutMs: 2_000, logger }
  await using signer = await createSigner({
    ...options,
    primary: { address: primary, peerId: identityOf('primary').peerId },
  })
  await expect(signer.listOrgs()).rejects.toMatchObject({ code: 'peer_refused' })
  await expect(verifier.ready()).rejects.toMatchObject({ code: 'peer_mismatch' })
  await until(() => warn.mock.calls.length >= 3, 'each of the three channels has a line')
  const lines = warn.mock.calls.map(([fields]) => fields)
  for (const line of [
    { address: primary, channel: 'sign', code: 'peer_refused' },
    { address: replica.address, channel: 'verify', code: 'peer_mismatch' },
    { address: replica.address, channel: 'feed', code: 'peer_mismatch' },
  ])
    expect(lines).toContainEqual(expect.objectContaining(line))
})

test('a verifier and a signer are closed at the end of their block', async () => {
  const { cluster } = await started()
  let kept: Verifier | undefined
  {
    await using verifier = await createVerifier({
      cluster: CLUSTER,
      identity: seedOf('worker'),
      replicas: [nodeOf(cluster, 'fra')],
    })
    await using signer = await cluster.signer('acme')
    await verifier.ready()
    await signer.mint({ org: 'acme', subject: 'alice' })
    kept = verifier
  }
  await expect(kept.verify('x', ACCESS)).rejects.toMatchObject({ code: 'closed' })
  await expect(kept.ready()).rejects.toMatchObject({ code: 'closed' })
})

test('an option, or an event, that does not exist is an error that names the nearest one', async () => {
  const cluster = await Cluster.start()
  const replicas = [nodeOf(cluster, 'fra')]
  const options = { cluster: CLUSTER, identity: seedOf('worker'), replicas }
  const refused = async (promise: Promise<unknown>): Promise<string> => {
    const { code, message, hint } = await failureOf(promise)
    return `${code} ${message} (${hint})`
  }
  const invalid = async (more: object): Promise<string> => refused(createVerifier({ ...options, ...more }))
  expect(await invalid({ timeoutMS: 5 })).toContain('unknown key "timeoutMS" (did you mean "timeoutMs"?)')
  expect(await invalid({ crossregion: true })).toContain('did you mean "crossRegion"?')
  expect(await invalid({ cache: { entrys: 5 } })).toContain('did you mean "entries"?')
  expect(await invalid({ replicas: [{ ...replicas[0], peerID: 'x' }] })).toContain('did you mean "peerId"?')
  expect(await invalid({ logger: { info: () => undefined } })).toContain('logger')
  const verifier = await verifierOf(replicas)
  const wanted = 'request_invalid verify: unknown option "minPositon" (did you mean "minPosition"?)'
  expect(await refused(verifier.verify('x', ACCESS, { minPositon: 'p' } as object))).toBe(wanted)
  expect(await refused(verifier.ready({ timeout: 5 } as object))).toContain('did you mean "timeoutMs"?')
  expect(() => verifier.on('leaselost' as never, () => undefined)).toThrow('on: unknown event "leaselost"')
  for (const timeoutMs of [0, -1, Number.NaN, Infinity, 'soon', null])
    expect(await refused(verifier.ready({ timeoutMs } as never))).toContain('request_invalid ready: timeoutMs')
  const signer = await cluster.signer('acme')
  const misspelt = signer.mint({ org: 'acme', subject: 'alice', ttl: 60 } as never)
  expect(await refused(misspelt)).toContain('request_invalid mint: unknown option "ttl"')
})
