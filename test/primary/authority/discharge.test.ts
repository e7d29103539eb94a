import { expect, test } from 'vitest'
import type { Discharged } from '../../../primary/authority/commands.ts'
import { tablesOf } from '../../../primary/authority/state.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { x25519PublicKey } from '../../../shared/crypto.ts'
import { CAVEATS_MAX } from '../../../shared/limits.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { openTicket } from '../../../shared/macaroon/ticket.ts'
import { decodeUtf8 } from '../../../shared/macaroon/utf8.ts'
import { judge } from '../../../shared/verifier/verifier.ts'
import { ACTOR, imageOf, NOW_MS } from './fixture.ts'
import { messageOf, readSecret, storeToken, Tenants, withLogin } from './presented.ts'
import { codeOf } from '../../shared/code-of.ts'

function caveatsOf({ discharge }: Discharged): readonly (string | undefined)[] {
  return decodeTokenText(discharge).caveats.map(({ cid }) => decodeUtf8(cid))
}

test('a discharge names the presented token and its tenant first, and ends within a minute', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const { token, id } = tenants.minted('acme')
  const discharged = tenants.discharge(root, [token])
  const expiresAt = NOW_MS / 1000 + 60
  expect(caveatsOf(discharged)).toEqual([`presented = ${id}`, 'tenant = acme', `time < ${expiresAt}`])
  expect(discharged).toMatchObject({ tenant: 'acme', presented: [id], expiresAt })
  const verdict = readSecret(root, discharged.discharge, { tenant: 'acme', nowMs: NOW_MS })
  expect(verdict).toMatchObject({ ok: true, presented: [id] })
  const later = readSecret(root, discharged.discharge, { tenant: 'acme', nowMs: NOW_MS + 60_000 })
  expect(later).toMatchObject({ ok: false, reason: 'caveat_refused' })
})

test('a discharge ends within a minute of true time, even after the authority’s time jumped', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const { token } = tenants.mint({ ttlSeconds: 0 }).answer as { token: string }
  tenants.aheadMs = 86_400_000
  expect(tenants.discharge(root, [token]).expiresAt).toBe(NOW_MS / 1000 + 60)
})

test('a discharge ends with the presented token that expires first', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const tokens = [600, 7, 0].map((ttlSeconds) => (tenants.mint({ ttlSeconds }).answer as { token: string }).token)
  const { discharge, expiresAt } = tenants.discharge(root, tokens)
  expect(expiresAt).toBe(NOW_MS / 1000 + 7)
  const at = (nowMs: number) => readSecret(root, discharge, { tenant: 'acme', nowMs })
  expect(at(NOW_MS + 6_999)).toMatchObject({ ok: true })
  expect(at(NOW_MS + 7_000)).toMatchObject({ ok: false, reason: 'caveat_refused' })
})

test('a discharge of one tenant’s token opens nothing of another’s, even with its ticket reused', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const ofAcme = tenants.discharge(root, [tenants.minted('acme').token])
  const foreign = readSecret(root, ofAcme.discharge, { tenant: 'globex', nowMs: NOW_MS })
  expect(foreign).toMatchObject({ ok: false, reason: 'caveat_refused', caveat: 'tenant = acme' })
  // The same ticket, later, for the other tenant: each discharge goes on opening its own tenant's things only.
  const ofGlobex = tenants.discharge(root, [tenants.minted('globex').token])
  expect(readSecret(root, ofGlobex.discharge, { tenant: 'globex', nowMs: NOW_MS })).toMatchObject({ ok: true })
  expect(readSecret(root, ofGlobex.discharge, { tenant: 'acme', nowMs: NOW_MS })).toMatchObject({ ok: false })
  expect(readSecret(root, ofAcme.discharge, { tenant: 'globex', nowMs: NOW_MS })).toMatchObject({ ok: false })
})

test('both discharges of one ticket in one bundle still open the tenant of each only', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const both = ['acme', 'globex'].map((org) => tenants.discharge(root, [tenants.minted(org).token]).discharge)
  const opens = (tenant: string) => readSecret(root, both, { tenant, nowMs: NOW_MS }).ok
  expect(['acme', 'globex', 'initech'].map(opens)).toEqual([true, true, false])
})

test('caveats that the condition decides are not carried on, and all others are', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const decided = ['op in read,write', 'org = acme']
  const open = ['machine = m1', 'app? = web', 'time < 1900000000', 'region = fra', 'staleness <= 5s', 'note = ci']
  const { token } = tenants.minted('acme', [...decided, ...open])
  const discharged = tenants.discharge(root, [token])
  expect(caveatsOf(discharged).slice(2, -1)).toEqual(open)
  const access = { tenant: 'acme', nowMs: NOW_MS }
  expect(readSecret(root, discharged.discharge, access)).toMatchObject({ ok: false })
  const onMachine = readSecret(root, discharged.discharge, { ...access, more: { machine: 'm2' } })
  expect(onMachine).toMatchObject({ reason: 'caveat_refused', caveat: 'machine = m1' })
})

test('a token narrowed to one machine opens the secrets of that machine only', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const narrowed = encodeTokenText(attenuate(decodeTokenText(tenants.minted('acme').token), ['machine = m1']))
  const { discharge } = tenants.discharge(root, [narrowed])
  const at = (machine: string) => readSecret(root, discharge, { tenant: 'acme', nowMs: NOW_MS, more: { machine } })
  expect(at('m1')).toMatchObject({ ok: true })
  expect(at('m2')).toMatchObject({ ok: false, caveat: 'machine = m1' })
})

test('caveats of the discharges that the presented token needed itself are carried on too', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const bundle = withLogin(tenants.minted('acme').token, ['time < 1800000030', 'device = laptop'])
  const discharged = tenants.discharge(root, [bundle])
  expect(caveatsOf(discharged).slice(2, -1)).toEqual(['time < 1800000030', 'device = laptop'])
})

test('a holder’s `presented` is carried behind the tenant, where it is reported to nobody', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const other = tenants.minted('globex').id
  const { token, id } = tenants.minted('acme', [`presented = ${other}`])
  const { discharge } = tenants.discharge(root, [token])
  expect(readSecret(root, discharge, { tenant: 'acme', nowMs: NOW_MS })).toMatchObject({ ok: true, presented: [id] })
})

test('a third party that the holder added names tokens under its own caveat only', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const { token, id } = tenants.minted('acme')
  const foreign = tenants.minted('globex').id
  const mine = { caveatKey: Buffer.alloc(32, 5), ticket: 'mine', location: '' }
  const forged = encodeTokenText(createDischarge({ ...mine, caveats: [`presented = ${foreign}`] }))
  const { discharge } = tenants.discharge(root, [token])
  const extended = addThirdPartyCaveat(root, mine, systemEntropy)
  const verdict = readSecret(extended, [forged, discharge], { tenant: 'acme', nowMs: NOW_MS })
  expect(verdict).toMatchObject({ ok: true, used: [{ presented: [id] }, { presented: [foreign] }] })
})

test('several tokens are all named and all carried on, and must be of one tenant', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const [first, second] = [tenants.minted('acme', ['machine = m1']), tenants.minted('acme', ['app = web'])]
  const discharged = tenants.discharge(root, [first.token, second.token])
  const named = [`presented = ${first.id}`, `presented = ${second.id}`, 'tenant = acme', 'machine = m1', 'app = web']
  expect(caveatsOf(discharged).slice(0, -1)).toEqual(named)
  const mixed = () => tenants.discharge(root, [first.token, tenants.minted('globex').token])
  expect(codeOf(mixed)).toBe('discharge_refused')
})

test.each([
  ['does not allow what the ticket asks', ['op = write'], 'caveat_refused'],
  ['has a caveat that nobody understands', ['no predicate'], 'caveat_unknown'],
  ['is past its time', ['time < 1700000000'], 'caveat_refused'],
  ['is for another presenter', ['peer = 12D3KooWSomebodyElse'], 'caveat_refused'],
])('a token that %s earns nothing', (_, caveats, reason) => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const token = encodeTokenText(attenuate(decodeTokenText(tenants.minted('acme').token), caveats))
  const before = imageOf(tenants.state)
  expect(messageOf(() => tenants.discharge(root, [token]))).toContain(`(${reason})`)
  expect(imageOf(tenants.state)).toBe(before)
})

test('a revoked token, an expired one, a forged one and one of a retired key earn nothing', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const { token, id } = tenants.minted('acme')
  const forged = encodeTokenText({ ...decodeTokenText(token), signature: new Uint8Array(32) })
  expect(messageOf(() => tenants.discharge(root, [forged]))).toContain('(signature_wrong)')
  tenants.nowMs += 61_000
  expect(messageOf(() => tenants.discharge(root, [token]))).toContain('(expired)')
  tenants.nowMs = NOW_MS
  tenants.revoke(id)
  expect(messageOf(() => tenants.discharge(root, [token]))).toContain('(revoked)')
})

test('a clock that was set back revives no token, and no caveat on the time', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const bounded = tenants.mint({ ttlSeconds: 0, caveats: [`time < ${NOW_MS / 1000 + 60}`] }).answer as { token: string }
  tenants.setBackMs = 60_000
  expect(messageOf(() => tenants.discharge(root, [tenants.minted('acme').token]))).toContain('(expired)')
  expect(messageOf(() => tenants.discharge(root, [bounded.token]))).toContain('(caveat_refused)')
})

test('a ticket that was sealed to somebody else, or whose service was removed, is not opened', () => {
  const tenants = new Tenants()
  const added = tenants.addStore()
  const root = storeToken(added)
  const { token } = tenants.minted('acme')
  const another = x25519PublicKey(Buffer.alloc(32, 9)).toString('hex')
  const elsewhere = storeToken({ ...added, publicKey: another })
  expect(codeOf(() => tenants.discharge(elsewhere, [token]))).toBe('ticket_invalid')
  tenants.do({ kind: 'third-party.remove', actor: ACTOR, name: 'store' })
  expect(codeOf(() => tenants.discharge(root, [token]))).toBe('ticket_invalid')
  // Another key under the old name opens none of the old tickets.
  tenants.addStore()
  expect(codeOf(() => tenants.discharge(root, [token]))).toBe('ticket_invalid')
})

test.each(['read everything', 'may', 'may op', 'may org=acme&op=read', 'may op=%zz', 'may op=a b', 'may =read'])(
  'a condition that reads "%s" is not understood',
  (condition) => {
    const tenants = new Tenants()
    const root = storeToken(tenants.addStore(), condition)
    expect(codeOf(() => tenants.discharge(root, [tenants.minted('acme').token]))).toBe('discharge_refused')
  },
)

test('a condition that states what only a node may state earns nothing', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore(), 'may region=fra&op=read')
  const refusal = messageOf(() => tenants.discharge(root, [tenants.minted('acme').token]))
  expect(refusal).toContain('(access_malformed)')
})

test('values of a condition are percent-decoded, and one given twice asks for both', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore(), 'may op=read&op=list&app=my%20app')
  const both = tenants.minted('acme', ['op in read,list', 'app = my app']).token
  expect(caveatsOf(tenants.discharge(root, [both]))).toHaveLength(3)
  const one = tenants.minted('acme', ['op = read']).token
  expect(messageOf(() => tenants.discharge(root, [one]))).toContain('(caveat_refused)')
})

test('the discharge asks for the token and its ancestors where the service has the revocations', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore({ unrevoked: true }))
  const user = tenants.minted('acme')
  const service = tenants.exchange(withLogin(user.token))
  const discharged = tenants.discharge(root, [service.token])
  const asked = [`unrevoked = ${service.id}`, `unrevoked = ${user.id}`]
  expect(caveatsOf(discharged).slice(2, -1)).toEqual(asked)
  // A token of this authority with such a discharge falls with the token that earned it.
  const own = storeTokenOf(tenants, root)
  const verdict = () =>
    judge({ token: own(discharged), access: { org: 'acme', op: 'read' } }, tablesOf(tenants.state), at())
  expect(verdict()).toMatchObject({ ok: true })
  tenants.revoke(user.id)
  expect(verdict()).toMatchObject({ ok: false, reason: 'revoked' })
})

test('more caveats than a discharge can hold are refused, not dropped', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const many = Array.from({ length: CAVEATS_MAX - 2 }, (_, i) => `k${i} = v`)
  expect(codeOf(() => tenants.discharge(root, [tenants.minted('acme', many).token]))).toBe('discharge_refused')
  const most = tenants.minted('acme', many.slice(1)).token
  expect(caveatsOf(tenants.discharge(root, [most]))).toHaveLength(CAVEATS_MAX)
})

test('the audit says whose token, which service and what for, and holds no secret', () => {
  const tenants = new Tenants()
  const root = storeToken(tenants.addStore())
  const { token, id } = tenants.minted('acme')
  const { discharge } = tenants.discharge(root, [token])
  const record = tenants.rows.findLast(({ table }) => table === 'audit')?.row
  expect(record).toMatchObject({ action: 'token.discharge', org: 'acme', target: id })
  const written = JSON.stringify(tenants.rows)
  for (const secret of [token, discharge]) expect(written).not.toContain(secret)
})

function at(): { readonly nowEarliestMs: number; readonly nowLatestMs: number } {
  return { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS }
}

/** A token of the authority that carries the same ticket under the same caveat key as the store's. */
function storeTokenOf(tenants: Tenants, store: ReturnType<typeof storeToken>): (discharged: Discharged) => string {
  const ticket = store.caveats.at(-1)?.cid ?? new Uint8Array()
  const privateKey = tenants.state.thirdParties.get('store')?.privateKey ?? new Uint8Array(32)
  const { caveatKey } = openTicket(ticket, [{ privateKey }])
  const minted = decodeTokenText(tenants.minted('acme').token)
  const root = addThirdPartyCaveat(minted, { caveatKey, ticket, location: 'store' }, systemEntropy)
  return ({ discharge }) => encodeBundle([root, bindDischarge(root, decodeTokenText(discharge))])
}
