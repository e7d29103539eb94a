/** `explain` on the `verify` channel, from the SDK and from the command line. */
import { expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { txid } from '../../../shared/ids.ts'
import {
  addThirdPartyCaveat,
  attenuate,
  bindDischarges,
  createDischarge,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
  type Macaroon,
} from '../../../shared/library.ts'
import { parsePosition, positionText } from '../../../shared/position.ts'
import type { Explanation } from '../../../shared/verifier/trace.ts'
import { commandLine } from '../cli/command.ts'
import { Cluster } from './harness.ts'

const caveatKey = systemEntropy.bytes(32)
const needs = (macaroon: Macaroon, ticket: string): Macaroon =>
  addThirdPartyCaveat(macaroon, { caveatKey, ticket, location: 'https://login.example.org' }, systemEntropy)
const discharge = (ticket: string, caveats: readonly string[] = []): Macaroon =>
  createDischarge({ ticket, caveatKey, caveats })

const failed = ({ checks }: Explanation): readonly string[] => checks.flatMap(({ check, held }) => (held ? [] : check))

test('a replica explains a token as it would judge it, through the SDK and on the command line', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const minted = await signer.mint({ org: 'acme', subject: 'alice', caveats: ['op = read', 'note = a\u2026b'] })
  const root = needs(decodeTokenText(minted.token), 'login')
  const text = encodeBundle(bindDischarges(root, [discharge('login', ['path prefix /a'])]))
  const verifier = await cluster.verifier()
  const access = { org: 'acme', op: 'write', path: '/a/1' }
  const options = { minPosition: minted.position }

  const explained = await verifier.explain(text, access, options)
  expect({ ...explained.verdict, ...explained.judged }).toEqual(await verifier.verify(text, access, options))
  expect(explained.verdict).toMatchObject({ reason: 'caveat_refused', caveat: 'op = read' })
  expect(failed(explained)).toEqual(['caveats'])
  expect(explained.caveats.map(({ outcome }) => outcome)).toEqual(['refused', 'cleared', 'cleared'])
  expect(explained.caveats[2]?.discharges).toMatchObject([{ index: 1, outcome: 'used' }])
  expect(explained).toMatchObject({ token: { id: minted.id, subject: 'alice' }, judgedBy: { region: 'fra' } })

  const at = parsePosition(minted.position)
  const later = positionText({ ...at, txid: txid(at.txid + 1000) })
  expect(await verifier.explain(text, access, { minPosition: later })).toMatchObject({
    unavailable: { reason: 'unavailable' },
    verdict: { reason: 'caveat_refused' },
  })

  // It tells all that it would have judged, and says accepted of nothing that it does not accept.
  const readable = await verifier.explain(text, { ...access, op: 'read' }, { minPosition: later })
  expect(readable).toMatchObject({ unavailable: { reason: 'unavailable' }, verdict: { reason: 'unavailable' } })
  expect(failed(readable)).toEqual([])

  const { position } = await signer.revoke({ id: minted.id })
  const profile = await cluster.profile()
  const args = ['token', 'verify', '--org', 'acme', '--access', 'op=write', '--access', 'path=/a/1', '--explain']
  const ran = await commandLine([...args, '--min-position', position], { profile, stdin: text })
  expect(ran.status).toBe(3)
  expect(ran.stdout).toMatch(/^refused \(revoked\): /m)
  expect(ran.stdout).toMatch(/^✗ standing: .*\(revoked\)$/m)
  expect(ran.stdout).toMatch(/^ {2}✗ op = read: /m)
  expect(ran.stdout).toMatch(/^ {4}✓ discharge 1 serves it\n {6}✓ path prefix \/a$/m)
  const json = await commandLine([...args, '--json'], { profile, stdin: text })
  expect(json.json<Explanation>()).toMatchObject({ verdict: { reason: 'revoked' }, caveats: [{}, {}, {}] })
})

test('an answer holds nothing of a forged token, and of a deep bundle no more than a message may', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const minted = await signer.mint({ org: 'acme', subject: 'mallory' })
  const verifier = await cluster.verifier()
  const options = { minPosition: minted.position }
  const narrowed = attenuate(decodeTokenText(minted.token), ['note = the plan'])
  const forged = encodeTokenText({ ...narrowed, signature: new Uint8Array(32) })
  const explained = await verifier.explain(forged, { org: 'acme' }, options)
  expect(explained).toMatchObject({ verdict: { reason: 'signature_wrong' }, caveats: [] })
  expect(JSON.stringify(explained)).not.toMatch(/mallory|plan/)

  const links = Array.from({ length: 8 }, (_, i) => (i < 7 ? needs(discharge(`n${i}`), `n${i + 1}`) : discharge('n7')))
  const deep = encodeBundle(bindDischarges(needs(decodeTokenText(minted.token), 'n0'), links))
  const told = await verifier.explain(deep, { org: 'acme' }, options)
  expect(told.verdict).toMatchObject({ ok: true })
  expect(told.omitted).toBeGreaterThan(0)
})

test('a peer without `verify` gets no explanation, and a malformed request has its error code', async () => {
  const cluster = await Cluster.start()
  await expect(cluster.dialReplica('stranger', 'verify')).rejects.toMatchObject({ code: 'peer_refused' })
  const client = new RpcClient(await cluster.dialReplica('worker', 'verify'))
  await expect(client.call('explain', { token: 1, access: {} })).rejects.toMatchObject({ code: 'request_invalid' })
  await expect(client.call('explain', { token: 't', access: {}, more: 1 })).rejects.toMatchObject({
    code: 'request_invalid',
  })
  expect(await client.call('explain', { token: 't', access: null })).toMatchObject({ verdict: { ok: false } })
})
