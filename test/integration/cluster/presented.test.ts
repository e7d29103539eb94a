/** Discharges of the authority and service tokens, from a signer over the primary to a replica that verifies them. */
import { expect, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import {
  bindDischarge,
  createDischarge,
  createDischargeClient,
  createMacaroon,
  decodeBundle,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
  judgeAccess,
  type Macaroon,
  openTicket,
  requireDischarge,
  verifyWithKey,
} from '../../../shared/library.ts'
import { parsePosition } from '../../../shared/position.ts'
import { isRefused } from '../../../shared/verifier/verdict.ts'
import { Cluster, codeOf, peerEntry, until } from './harness.ts'
import { loginOf } from '../../shared/macaroon/ticket-of.ts'

const LOGIN = 'https://login.example'
const LOGIN_KEY = { sharedKey: Buffer.alloc(32, 5) }
const STORE_KEY = { secret: Buffer.from('the store’s own') }

/** With the ticket of the login that was put in. */
function pinned(bundle: string): { token: string; strip: string; id: string; ticket: string } {
  return { token: bundle, strip: LOGIN, ...loginOf(bundle) }
}

function withLogin(token: string): string {
  const needed = { location: LOGIN, condition: 'logged in', recipient: LOGIN_KEY }
  const root = requireDischarge(decodeTokenText(token), needed, systemEntropy)
  const ticket = root.caveats.at(-1)?.cid ?? new Uint8Array()
  const { caveatKey } = openTicket(ticket, [LOGIN_KEY])
  const soon = `time < ${Math.floor(systemClock.wallMs() / 1000) + 60}`
  return encodeBundle([root, bindDischarge(root, createDischarge({ ticket, caveatKey, caveats: [soon] }))])
}

async function orchestratorToken(signer: Signer): Promise<Macaroon> {
  const { location, publicKey } = await signer.addThirdParty({ name: 'store' })
  const root = createMacaroon({ ...STORE_KEY, identifier: 'orchestrator' })
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  return requireDischarge(root, { location, condition: 'may op=read', recipient }, systemEntropy)
}

function storeAllows(bundle: string, tenant: string): boolean {
  const nowMs = systemClock.wallMs()
  const judge = judgeAccess({ org: tenant, op: 'read' }, { nowEarliestMs: nowMs, nowLatestMs: nowMs })
  return !isRefused(judge) && verifyWithKey({ bundle: decodeBundle(bundle), rootKey: STORE_KEY, judge }).ok
}

test('a peer that may act for no org gets discharges for presented tokens, and nothing else', async () => {
  const cluster = Cluster.create()
  cluster.peers.push(peerEntry('stranger', { role: 'signer', orgs: [] }))
  await cluster.startPrimary()
  await cluster.startReplica()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  const operator = await cluster.signer()
  for (const org of ['acme', 'globex']) await operator.createOrg(org)
  const root = await orchestratorToken(operator)
  const { token, id } = await operator.mint({ org: 'acme', subject: 'alice' })
  const orchestrator = await cluster.signer('stranger')
  const client = createDischargeClient({
    ask: async ({ ticket }) => (await orchestrator.discharge({ ticket, tokens: [token] })).discharge,
  })
  const bundle = await client.discharge(encodeTokenText(root))
  expect(storeAllows(bundle, 'acme')).toBe(true)
  expect(storeAllows(bundle, 'globex')).toBe(false)
  expect(storeAllows(encodeTokenText(root), 'acme')).toBe(false)

  expect(await codeOf(orchestrator.mint({ org: 'acme', subject: 'x' }))).toBe('permission_denied')
  expect(await codeOf(orchestrator.exchange(pinned(withLogin(token))))).toBe('key_unknown')
  expect(await codeOf(orchestrator.addThirdParty({ name: 'mine' }))).toBe('permission_denied')
  expect(await codeOf(orchestrator.removeThirdParty('store'))).toBe('permission_denied')
  expect((await orchestrator.listThirdParties()).thirdParties).toMatchObject([{ name: 'store' }])

  await operator.revoke({ id })
  expect(await codeOf(client.discharge(encodeTokenText(root)))).toBe('token_refused')
})

test('a replica that has not seen a service token’s rows refuses it once an ancestor is revoked', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer('operator')
  await signer.createOrg('acme')
  const user = await signer.mint({ org: 'acme', subject: 'alice', caveats: ['op = read'] })
  await cluster.caughtUp()
  const proxy = await cluster.proxy()
  proxy.down = true
  proxy.cutAll()
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(Array.from({ length: 100 }, () => signer.mint({ org: 'acme', subject: 'x'.repeat(250) })))
  }
  const service = await signer.exchange(pinned(withLogin(user.token)))
  // Pages trickle, and never reach the exchange while this test looks; the revocation connection stays below the mark.
  proxy.slow = { afterBytes: 30_000, bytesPerSecond: 5_000 }
  proxy.down = false
  const renewed = async (): Promise<boolean> => ((await cluster.replicaStatus()).freshness.ageMs ?? Infinity) < 500
  await until(renewed, 'the replica holds a lease, by its revocations alone')
  const verifier = await cluster.verifier()
  const access = { org: 'acme', op: 'read' }
  const accepted = await verifier.verify(service.token, access)
  expect(accepted).toMatchObject({ ok: true, id: service.id, subject: 'alice' })
  expect(accepted.txid).toBeLessThan(parsePosition(service.position).txid)
  expect(await verifier.verify(service.token, { ...access, op: 'write' })).toMatchObject({ ok: false })
  await signer.revoke({ id: user.id })
  const refused = async (): Promise<boolean> => {
    const verdict = await verifier.verify(service.token, access)
    if (verdict.ok || verdict.reason !== 'revoked') return false
    expect(verdict.txid).toBeLessThan(parsePosition(service.position).txid)
    return true
  }
  await until(refused, 'the service token is refused')
  expect(await codeOf(signer.exchange(pinned(withLogin(user.token))))).toBe('token_refused')
  expect(await codeOf(signer.exchange(pinned(withLogin(service.token))))).toBe('token_refused')
})

test('a signer exchanges tokens of its own orgs only', async () => {
  const cluster = await Cluster.start()
  const operator = await cluster.signer()
  for (const org of ['acme', 'globex']) await operator.createOrg(org)
  const { token } = await operator.mint({ org: 'acme', subject: 'alice' })
  const [acme, globex] = [await cluster.signer('acme'), await cluster.signer('globex')]
  const exchanged = await acme.exchange({ ...pinned(withLogin(token)), ttlSeconds: 60 })
  expect(exchanged).toMatchObject({ org: 'acme', subject: 'alice', stripped: LOGIN })
  expect(await codeOf(globex.exchange(pinned(withLogin(token))))).toBe('key_unknown')
})
