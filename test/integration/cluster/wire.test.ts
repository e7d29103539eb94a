/** Admission of peers, the rights of each, and what an eavesdropper can see. */
import { expect, test } from 'vitest'
import type { ChannelName } from '../../../shared/channel/channel-name.ts'
import { dial } from '../../../shared/channel/dial.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { createSigner } from '../../../primary/signer/sdk.ts'
import { createVerifier } from '../../../replica/worker/sdk.ts'
import { Cluster, CLUSTER, codeOf, identityOf, peerEntry, seedOf, until, type Who } from './harness.ts'
import { Proxy } from './proxy.ts'

async function started(): Promise<Cluster> {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await signer.createOrg('globex')
  await cluster.caughtUp()
  return cluster
}

test('a capture of every wire holds neither a token nor the name of an org, a subject or a node', async () => {
  const cluster = await Cluster.start()
  const proxies = await Promise.all([Proxy.start(cluster.primary.address), Proxy.start(cluster.replica().address)])
  const wires = [...proxies, await cluster.proxy()]
  for (const proxy of wires) proxy.captured = []
  const [toPrimary, toReplica] = proxies
  const org = 'very-secret-org-name'
  const subject = 'very.secret.subject@example.test'
  const signer = await createSigner({
    cluster: CLUSTER,
    identity: seedOf('operator'),
    primary: { address: toPrimary.address, peerId: identityOf('primary').peerId },
  })
  const verifier = await createVerifier({
    cluster: CLUSTER,
    identity: seedOf('worker'),
    replicas: [{ address: toReplica.address, peerId: identityOf('fra').peerId }],
  })
  await signer.createOrg(org)
  const minted = await signer.mint({ org, subject, caveats: ['op = read'] })
  const access = { org, op: 'read' }
  expect(await verifier.verify(minted.token, access, { minPosition: minted.position })).toMatchObject({ ok: true })
  await signer.revoke({ token: minted.token, reason: 'a-secret-reason' })
  expect(await verifier.verify(minted.token, access)).toMatchObject({ reason: 'revoked' })
  await cluster.caughtUp()

  const nonce = minted.id.split('.')[1] ?? ''
  const secrets = [
    org,
    subject,
    minted.token,
    minted.token.slice(5, 60),
    minted.id,
    nonce,
    'op = read',
    'a-secret-reason',
  ]
  const encoded = secrets.flatMap((secret) => [
    Buffer.from(secret),
    Buffer.from(Buffer.from(secret).toString('base64').replace(/=+$/, '')),
  ])
  for (const proxy of wires) {
    const seen = Buffer.concat(proxy.captured ?? [])
    expect(seen.length).toBeGreaterThan(1000)
    for (const secret of [...encoded, Buffer.from(nonce, 'hex'), Buffer.from('macaroond'), Buffer.from('token.mint')]) {
      expect(seen.includes(secret)).toBe(false)
    }
  }
  await signer.close()
  await verifier.close()
  for (const proxy of proxies) await proxy.stop()
})

test('a stranger, a wrong pin, a wrong cluster and a missing role each get a clear refusal', async () => {
  const cluster = await started()
  const to = { address: cluster.primary.address, peerId: identityOf('primary').peerId, cluster: CLUSTER, hello: {} }
  const as = (who: Who, channel: ChannelName, changes: object = {}): Promise<string> =>
    codeOf(dial({ ...to, identity: identityOf(who), channel, ...changes }))
  expect(await as('stranger', 'sign')).toBe('peer_refused')
  expect(await as('stranger', 'verify')).toBe('peer_refused')
  expect(await as('operator', 'sign', { peerId: identityOf('stranger').peerId })).toBe('peer_mismatch')
  expect(await as('operator', 'sign', { cluster: 'another' })).toBe('handshake_failed')
  expect(await as('worker', 'sign')).toBe('peer_refused')
  expect(await as('worker', 'admin')).toBe('peer_refused')
  expect(await as('worker', 'wal')).toBe('peer_refused')
  expect(await as('acme', 'admin')).toBe('peer_refused')
  expect(await as('acme', 'revocations')).toBe('peer_refused')
  expect(await as('fra', 'sign')).toBe('peer_refused')
  // A replica has no such channels, whoever asks, and lets no signer verify.
  const toReplica = { address: cluster.replica().address, peerId: identityOf('fra').peerId }
  expect(await as('operator', 'sign', toReplica)).toBe('peer_refused')
  expect(await as('operator', 'wal', toReplica)).toBe('peer_refused')
  expect(await as('acme', 'verify', toReplica)).toBe('peer_refused')
})

test('a worker cannot mint, by any client', async () => {
  const cluster = await started()
  const signer = await createSigner({
    cluster: CLUSTER,
    identity: seedOf('worker'),
    primary: { address: cluster.primary.address, peerId: identityOf('primary').peerId },
    timeoutMs: 1000,
  })
  const refusal = signer.mint({ org: 'acme', subject: 'x' })
  expect(await codeOf(refusal)).toBe('peer_refused')
  // The verify channel of a replica, which it may open, knows no such call.
  const client = new RpcClient(await cluster.dialReplica('worker', 'verify'))
  const params = { org: 'acme', subject: 'x', caveats: [], ttlSeconds: 60 }
  expect(await codeOf(client.call('token.mint', params))).toBe('request_invalid')
  await client.close()
  await signer.close()
})

test('a signer acts for its own orgs only, and cannot tell another org’s key from none', async () => {
  const cluster = await started()
  const acme = await cluster.signer('acme')
  const globex = await cluster.signer('globex')
  const own = await acme.mint({ org: 'acme', subject: 'x' })
  const others = await globex.mint({ org: 'globex', subject: 'y' })
  expect(await codeOf(acme.mint({ org: 'globex', subject: 'x' }))).toBe('permission_denied')
  expect(await codeOf(acme.createOrg('new'))).toBe('permission_denied')
  expect(await codeOf(acme.listRevocations({ org: 'globex' }))).toBe('permission_denied')
  expect((await acme.listOrgs()).orgs.map(({ name }) => name)).toEqual(['acme'])

  const nobody = `${'0'.repeat(16)}.${others.id.split('.')[1] ?? ''}`
  const messageOf = async (id: string): Promise<string> => {
    const error: unknown = await acme.revoke({ id }).catch((reason: unknown) => reason)
    return String(error).replaceAll(/[0-9a-f]{16}/g, 'KEY')
  }
  expect(await messageOf(others.id)).toBe(await messageOf(nobody))
  expect(await codeOf(acme.revoke({ id: others.id }))).toBe('key_unknown')
  // Neither does the token itself tell whether it is genuine.
  const changed = (await globex.mint({ org: 'globex', subject: 'z' })).token
  const broken = encodeTokenText({ ...decodeTokenText(changed), signature: Buffer.alloc(32, 1) })
  expect(await codeOf(acme.revoke({ token: others.token }))).toBe('key_unknown')
  expect(await codeOf(acme.revoke({ token: broken }))).toBe('key_unknown')

  await globex.revoke({ id: others.id })
  await acme.revoke({ id: own.id })
  expect((await acme.listRevocations()).revocations.map(({ id }) => id)).toEqual([own.id])
  expect((await (await cluster.signer()).listRevocations()).revocations).toHaveLength(2)
})

test('a reload drops those who are no longer listed and lets in those who are', async () => {
  const cluster = await started()
  const acme = await cluster.signer('acme')
  const globex = await cluster.signer('globex')
  expect((await acme.listOrgs()).orgs).toHaveLength(1)
  expect((await globex.listOrgs()).orgs).toHaveLength(1)
  const before = await cluster.dialPrimary('acme', 'sign')
  cluster.peers = cluster.peers.filter(({ name }) => name !== 'acme')
  cluster.peers.push(peerEntry('stranger', { role: 'signer', orgs: ['*'] }))
  await cluster.primary.reload()
  // A reset, and the reason at the next dial.
  expect(await before.closed).toMatchObject({ code: 'connection_lost' })
  expect(await codeOf(acme.mint({ org: 'acme', subject: 'x' }))).toMatch(/peer_refused|connection_lost/)
  await until(async () => (await codeOf(acme.mint({ org: 'acme', subject: 'x' }))) === 'peer_refused', 'acme hears why')
  expect((await globex.listOrgs()).orgs).toHaveLength(1)
  const stranger = await cluster.signer('stranger')
  expect(await codeOf(stranger.mint({ org: 'globex', subject: 'x' }))).toBe('no error')
})
