import { expect, test } from 'vitest'
import type { Exchanged, Minted } from '../../../primary/authority/commands.ts'
import { tablesOf } from '../../../primary/authority/state.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { sha256 } from '../../../shared/crypto.ts'
import { CAVEATS_MAX } from '../../../shared/limits.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeIdentifier } from '../../../shared/macaroon/identifier.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge, requireDischarge } from '../../../shared/macaroon/third-party.ts'
import { openTicket } from '../../../shared/macaroon/ticket.ts'
import { decodeUtf8 } from '../../../shared/macaroon/utf8.ts'
import type { Verdict } from '../../../shared/verifier/verdict.ts'
import { judge } from '../../../shared/verifier/verifier.ts'
import { imageOf, NOW_MS } from './fixture.ts'
import { LOGIN, messageOf, rootOf, storeToken, Tenants, withLogin } from './presented.ts'
import { codeOf } from '../../shared/code-of.ts'
import { ticketOf } from '../../shared/macaroon/ticket-of.ts'

const READ = { org: 'acme', op: 'read', machine: 'm1' }

function verdictOn(tenants: Tenants, token: string, nowMs: number = NOW_MS, access: typeof READ = READ): Verdict {
  const context = { nowEarliestMs: nowMs, nowLatestMs: nowMs, region: 'fra' }
  return judge({ token, access }, tablesOf(tenants.state), context)
}

function caveatsOf({ token }: Exchanged): readonly (string | undefined)[] {
  return decodeTokenText(token).caveats.map(({ cid }) => decodeUtf8(cid))
}

test('a service token needs no login and outlives the token it was made from', () => {
  const tenants = new Tenants()
  const user = tenants.minted('acme', ['op = read'])
  const bundle = withLogin(user.token, [`time < ${NOW_MS / 1000 + 600}`])
  expect(verdictOn(tenants, bundle)).toMatchObject({ ok: true })
  expect(verdictOn(tenants, rootOf(bundle))).toMatchObject({ reason: 'discharge_missing' })
  const service = tenants.exchange(bundle, { ttlSeconds: 86_400 })
  const later = NOW_MS + 3_600_000
  expect(verdictOn(tenants, bundle, later)).toMatchObject({ ok: false, reason: 'expired' })
  expect(verdictOn(tenants, service.token, later)).toMatchObject({ ok: true, subject: 'somebody', id: service.id })
  expect(verdictOn(tenants, service.token, NOW_MS + 86_400_000)).toMatchObject({ ok: false, reason: 'expired' })
})

test('every caveat but the login’s is carried on, with the time bounds of holder and discharge', () => {
  const tenants = new Tenants()
  const own = ['op in read,write', 'time < 1900000000', 'machine? = m1', 'note = ci', 'staleness <= 60s']
  const narrowed = encodeTokenText(attenuate(decodeTokenText(tenants.minted('acme').token), own))
  const bundle = withLogin(narrowed, ['time < 1800000600', 'device = laptop', 'time >= 1700000000', 'tenant = acme'])
  const service = tenants.exchange(bundle)
  expect(caveatsOf(service)).toEqual([...own, 'device = laptop', 'time >= 1700000000', 'tenant = acme'])
})

test('the upper time bound of the login’s discharge is judged, though it is not carried on', () => {
  const tenants = new Tenants()
  const bundle = withLogin(tenants.minted('acme').token, ['time < 1800000010', 'time-before 2027-01-15T08:00:05Z'])
  expect(caveatsOf(tenants.exchange(bundle))).toEqual([])
  tenants.nowMs += 6_000
  expect(messageOf(() => tenants.exchange(bundle))).toContain('(caveat_refused)')
})

test('the identifier names all that it was made from, the nearest first, and keeps the subject', () => {
  const tenants = new Tenants()
  const user = tenants.minted('acme')
  const first = tenants.exchange(withLogin(user.token))
  const second = tenants.exchange(withLogin(first.token))
  expect(second.ancestors).toEqual([first.id, user.id])
  const { ancestors, subject, expiresAt } = decodeIdentifier(decodeTokenText(second.token).identifier)
  expect(ancestors.map(({ kid, nonce }) => `${kid}.${nonce}`)).toEqual([first.id, user.id])
  expect({ subject, expiresAt }).toEqual({ subject: 'somebody', expiresAt: NOW_MS / 1000 + 3_600 })
  const lineage = tenants.rows.findLast(({ table }) => table === 'service_tokens')?.row
  expect(lineage).toMatchObject({ ancestors, stripped: LOGIN })
  const audit = tenants.rows.findLast(({ table }) => table === 'audit')?.row
  expect(audit).toMatchObject({ action: 'token.exchange', target: second.id, org: 'acme' })
})

test('a token has at most four ancestors', () => {
  const tenants = new Tenants()
  let { token } = tenants.minted('acme')
  for (let made = 0; made < 4; made += 1) token = tenants.exchange(withLogin(token)).token
  expect(codeOf(() => tenants.exchange(withLogin(token)))).toBe('token_refused')
})

test('revoking any ancestor revokes the service tokens made from it and their attenuations', () => {
  const tenants = new Tenants()
  const user = tenants.minted('acme')
  const first = tenants.exchange(withLogin(user.token))
  const second = tenants.exchange(withLogin(first.token))
  const narrowed = encodeTokenText(attenuate(decodeTokenText(second.token), ['machine = m1']))
  const bystander = tenants.exchange(withLogin(tenants.minted('acme').token))
  tenants.revoke(user.id)
  for (const token of [user.token, first.token, second.token, narrowed]) {
    expect(verdictOn(tenants, token)).toMatchObject({ ok: false, reason: 'revoked' })
  }
  expect(verdictOn(tenants, bystander.token)).toMatchObject({ ok: true })
})

test('a token that was revoked is not exchanged any more, nor is one whose ancestor was', () => {
  const tenants = new Tenants()
  const user = tenants.minted('acme')
  const service = tenants.exchange(withLogin(user.token))
  tenants.revoke(user.id)
  const before = imageOf(tenants.state)
  for (const token of [user.token, service.token]) {
    expect(messageOf(() => tenants.exchange(withLogin(token)))).toContain('(revoked)')
  }
  expect(imageOf(tenants.state)).toBe(before)
})

test('without a valid discharge nothing is exchanged', () => {
  const tenants = new Tenants()
  const bundle = withLogin(tenants.minted('acme').token)
  expect(messageOf(() => tenants.exchange(rootOf(bundle)))).toContain('(discharge_missing)')
  const [root, discharge] = decodeBundle(bundle)
  if (root === undefined || discharge === undefined) throw new Error('a bundle has two parts')
  const unbound = encodeBundle([root, { ...discharge, signature: new Uint8Array(32) }])
  expect(messageOf(() => tenants.exchange(unbound))).toContain('(discharge_invalid)')
})

test('a further third-party caveat, or a second of the same login, is refused and not dropped', () => {
  const tenants = new Tenants()
  for (const location of ['https://other.example', LOGIN]) {
    const bundle = withTwoLogins(tenants.minted('acme').token, location)
    expect(verdictOn(tenants, bundle)).toMatchObject({ ok: true })
    expect(codeOf(() => tenants.exchange(bundle))).toBe('token_refused')
  }
})

test('a clock that was set back makes no service token of a token, or of a login, that has ended', () => {
  const tenants = new Tenants()
  const ended = withLogin(tenants.minted('acme').token)
  const lasting = (tenants.mint({ ttlSeconds: 0 }).answer as { token: string }).token
  const endedLogin = withLogin(lasting, [`time < ${NOW_MS / 1000 + 60}`])
  tenants.setBackMs = 60_000
  expect(messageOf(() => tenants.exchange(ended))).toContain('(expired)')
  expect(messageOf(() => tenants.exchange(endedLogin))).toContain('(caveat_refused)')
})

test('a discharge that rests on other tokens is no login: the service token would outlive them', () => {
  const tenants = new Tenants()
  const { location, publicKey } = tenants.addStore()
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  const minted = decodeTokenText(tenants.minted('acme').token)
  const root = requireDischarge(minted, { location, condition: 'may op=read', recipient }, systemEntropy)
  const presented = tenants.minted('acme', [`time < ${NOW_MS / 1000 + 30}`])
  const { discharge } = tenants.discharge(root, [presented.token])
  const bundle = encodeBundle(bindDischarges(root, [decodeTokenText(discharge)]))
  expect(verdictOn(tenants, bundle)).toMatchObject({ ok: true, presented: [presented.id] })
  expect(messageOf(() => tenants.exchange(bundle, { strip: location }))).toContain(
    'obtained by presenting other tokens',
  )
})

test('a login whose discharge needs another one is refused, and nothing of either is dropped', () => {
  const tenants = new Tenants()
  const own = { caveatKey: Buffer.alloc(32, 5), ticket: 'outer', location: LOGIN }
  const inner = { caveatKey: Buffer.alloc(32, 6), ticket: 'inner', location: LOGIN, caveats: ['device = laptop'] }
  const root = addThirdPartyCaveat(decodeTokenText(tenants.minted('acme').token), own, systemEntropy)
  const nested = addThirdPartyCaveat(createDischarge(own), inner, systemEntropy)
  const bundle = encodeBundle(bindDischarges(root, [nested, createDischarge(inner)]))
  const access = { ...READ, device: 'laptop' }
  expect(verdictOn(tenants, bundle, NOW_MS, access)).toMatchObject({ ok: true })
  expect(messageOf(() => tenants.exchange(bundle))).toContain('third-party caveats of its own')
  const store = storeToken(tenants.addStore())
  const { discharge } = tenants.discharge(store, [bundle])
  expect(decodeTokenText(discharge).caveats.map(({ cid }) => decodeUtf8(cid))).toContain('device = laptop')
})

test('a login that the token lacks is not stripped, and a token without one is not exchanged', () => {
  const tenants = new Tenants()
  const { token } = tenants.minted('acme')
  expect(codeOf(() => tenants.exchange(withLogin(token), { strip: 'https://elsewhere.example' }))).toBe('token_refused')
  expect(codeOf(() => tenants.exchange(token))).toBe('token_refused')
})

test('only the caveat with the ticket is stripped, whatever location a holder writes into it', () => {
  const tenants = new Tenants()
  const { token } = tenants.minted('acme')
  const bundle = withLogin(token)
  const ticket = ticketOf(bundle)
  const relabelled = withOwnLogin(token)
  for (const strip of [LOGIN, '']) {
    expect(messageOf(() => tenants.exchange(relabelled, { strip, ticket }))).toContain('cannot be exchanged')
  }
  const { id } = tenants.exchange(bundle, { ticket })
  const audit = tenants.rows.findLast(({ table }) => table === 'audit')?.row
  const stripped = sha256(ticket).toString('hex', 0, 16)
  expect(audit).toMatchObject({ target: id, detail: expect.stringContaining(`"ticket":"${stripped}"`) })
})

test('a caveat that is not understood refuses the exchange, in the token and in the discharge', () => {
  const tenants = new Tenants()
  const { token } = tenants.minted('acme')
  const odd = encodeTokenText(attenuate(decodeTokenText(token), ['no predicate']))
  for (const bundle of [withLogin(odd), withLogin(token, ['no predicate'])]) {
    expect(messageOf(() => tenants.exchange(bundle))).toContain('(caveat_unknown)')
  }
})

test('a service token lives for 90 days at most', () => {
  const tenants = new Tenants()
  const bundle = withLogin(tenants.minted('acme').token)
  for (const ttlSeconds of [0, -1, 1.5, 90 * 86_400 + 1]) {
    expect(codeOf(() => tenants.exchange(bundle, { ttlSeconds }))).toBe('request_invalid')
  }
  expect(tenants.exchange(bundle, { ttlSeconds: 90 * 86_400 }).expiresAt).toBe(NOW_MS / 1000 + 90 * 86_400)
})

test('the primary refuses more than its own limit, and grants exactly the limit on request', () => {
  const tenants = new Tenants()
  const bundle = withLogin(tenants.minted('acme').token)
  const ttlSecondsMax = 7 * 86_400
  expect(codeOf(() => tenants.exchange(bundle, { ttlSecondsMax, ttlSeconds: 7 * 86_400 + 1 }))).toBe('request_invalid')
  const service = tenants.exchange(bundle, { ttlSecondsMax, ttlSeconds: 90 * 86_400 })
  expect(service.expiresAt).toBe(NOW_MS / 1000 + 7 * 86_400)
})

test('a holder cannot strip a login of its own: its caveat has another ticket', () => {
  const tenants = new Tenants()
  const { token } = tenants.minted('acme')
  const ticket = ticketOf(withLogin(token))
  expect(messageOf(() => tenants.exchange(withOwnLogin(token), { ticket }))).toContain(
    'ticket of its third-party caveat is not the login’s',
  )
})

test('a holder of two tokens cannot discharge the login of one with the ticket in the other', () => {
  const tenants = new Tenants()
  const [guarded, free] = [tenants.minted('acme'), tenants.minted('acme')]
  const ticket = ticketOf(withLogin(guarded.token))
  const replayed = withOwnLogin(free.token, ticket)
  expect(ticketOf(replayed)).toEqual(ticket)
  expect(messageOf(() => tenants.exchange(replayed, { id: guarded.id, ticket }))).toContain(
    'not the token that the login caveat was added to',
  )
})

test('the subject of a token that was minted as it is keeps its bytes', () => {
  const tenants = new Tenants()
  for (const subject of ['josé'.normalize('NFD'), ' alice\u200b']) {
    const minted = tenants.mint({ org: 'acme', subject }).answer as Minted
    const service = tenants.exchange(withLogin(minted.token))
    expect(decodeIdentifier(decodeTokenText(service.token).identifier).subject).toBe(subject)
  }
})

test('more caveats than a token can hold are refused, not dropped', () => {
  const tenants = new Tenants()
  const many = Array.from({ length: CAVEATS_MAX - 1 }, (_, i) => `k${i} = v`)
  const { token } = tenants.minted('acme', many)
  expect(codeOf(() => tenants.exchange(withLogin(token, ['x = 1', 'y = 1'])))).toBe('token_refused')
  expect(caveatsOf(tenants.exchange(withLogin(token, ['x = 1'])))).toHaveLength(CAVEATS_MAX)
})

/** The holder appends a caveat with a key of its own, which it says to be the login's, and discharges it itself. */
function withOwnLogin(token: string, ticket: string | Uint8Array = 'any bytes'): string {
  const own = { caveatKey: Buffer.alloc(32, 5), ticket, location: LOGIN }
  const root = addThirdPartyCaveat(decodeTokenText(token), own, systemEntropy)
  return encodeBundle(bindDischarges(root, [createDischarge(own)]))
}

/** Discharged twice: once by the usual login, once by whoever is at `location`. */
function withTwoLogins(token: string, location: string): string {
  const sharedKey = Buffer.alloc(32, 9)
  const first = decodeBundle(withLogin(token))[0]
  if (first === undefined) throw new Error('a bundle has a token')
  const root = requireDischarge(first, { location, condition: 'another', recipient: { sharedKey } }, systemEntropy)
  const discharges = root.caveats.flatMap(({ cid, vid }) => {
    if (vid === undefined) return []
    const { caveatKey } = openTicket(cid, [{ sharedKey }, { sharedKey: Buffer.alloc(32, 7) }])
    return createDischarge({ ticket: cid, caveatKey })
  })
  return encodeBundle(bindDischarges(root, discharges))
}
