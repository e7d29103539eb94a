import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createTestAuthority, type TestAuthority, type TestAuthorityOptions } from '../../../ops/testing/sdk.ts'

const ACCESS = { org: 'acme' }
const DAY_MS = 86_400_000

async function start(options: TestAuthorityOptions = {}): Promise<TestAuthority> {
  const authority = await createTestAuthority({ orgs: ['acme'], ...options })
  onTestFinished(() => authority.close())
  return authority
}

afterEach(() => void vi.useRealTimers())

describe('the clock of a test authority', () => {
  test('stands still, so that a time caveat is judged to the millisecond', async () => {
    const { signer, verifier, clock } = await start({ startMs: 1_900_000_000_000 })
    const { token } = await signer.mint({ org: 'acme', subject: 'alice', caveats: ['time < 1900000010'] })
    clock.advance(9_999)
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ ok: true })
    clock.advance(1)
    expect(clock.nowMs()).toBe(1_900_000_010_000)
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ ok: false, reason: 'caveat_refused' })
  })

  test.each([1, 4_999, 5_000, 90 * DAY_MS, 3_650 * DAY_MS])('moves %i ms without the loss of a lease', async (ms) => {
    const { signer, verifier, clock } = await start()
    const lost = vi.fn<() => void>()
    verifier.on('leaseLost', lost)
    const { token } = await signer.mint({ org: 'acme', subject: 'alice', ttlSeconds: 0 })
    clock.advance(ms)
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ ok: true })
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ ok: true, cached: 'exact' })
    expect(verifier.health()).toMatchObject({ serving: true, leaseRemainingMs: expect.any(Number) })
    expect(verifier.health().leaseRemainingMs).toBeLessThanOrEqual(5_000)
    expect(lost).not.toHaveBeenCalled()
  })

  test.each([-1, Number.NaN, Infinity, 1e18, '5', undefined])('does not take %s', async (ms) => {
    const { clock } = await start()
    expect(() => clock.advance(ms as number)).toThrow('advance: milliseconds are a number')
  })
})

test('a test authority works while timers are faked and never fire', async () => {
  vi.useFakeTimers()
  const authority = await start()
  const { signer, verifier } = authority
  await verifier.ready()
  const { token, id, position } = await signer.mint({ org: 'acme', subject: 'alice' })
  await Promise.all([1, 2, 3].map((n) => signer.mint({ org: 'acme', subject: `s${n}` })))
  expect(await verifier.verify(token, ACCESS, { minPosition: position })).toMatchObject({ ok: true })
  await signer.revoke({ id, wait: 'global' })
  expect(await verifier.verify(token, ACCESS)).toMatchObject({ reason: 'revoked' })
  const later = position.replace(/\.[0-9a-f]{16}\./, `.${'0'.repeat(12)}ffff.`)
  expect(await verifier.verify(token, ACCESS, { minPosition: later })).toMatchObject({ reason: 'unavailable' })
  expect(vi.getTimerCount()).toBe(0)
})

describe('a lost lease', () => {
  test('is an event, and the health of the verifier', async () => {
    const authority = await start()
    const { verifier } = authority
    const heard: string[] = []
    for (const name of ['leaseLost', 'leaseBack'] as const) verifier.on(name, () => heard.push(name))
    expect(verifier.health()).toMatchObject({ serving: true, replicas: [{ connected: true, problem: null }] })
    authority.loseLease()
    expect(verifier.health()).toMatchObject({ serving: false, leaseRemainingMs: 0 })
    await vi.waitFor(() =>
      expect(verifier.health().replicas[0]?.problem).toMatchObject({ code: 'replica_unavailable' }),
    )
    authority.loseLease()
    authority.restoreLease()
    authority.restoreLease()
    expect(verifier.health()).toMatchObject({ serving: true, leaseRemainingMs: 5_000 })
    await vi.waitFor(() => expect(heard).toEqual(['leaseLost', 'leaseBack']))
  })

  test('holds while the clock moves, and a revocation then binds everywhere at once', async () => {
    const authority = await start()
    const { signer, verifier, clock } = authority
    const { token, id } = await signer.mint({ org: 'acme', subject: 'alice' })
    authority.loseLease()
    clock.advance(60_000)
    expect(await signer.revoke({ id, wait: 'global' })).toMatchObject({ replicas: [{ how: 'lease expired' }] })
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ reason: 'unavailable' })
    authority.restoreLease()
    expect(await verifier.verify(token, ACCESS)).toMatchObject({ reason: 'revoked' })
  })

  test('makes `ready` wait until it is restored, or the clock has moved by the timeout', async () => {
    const authority = await start({ cache: false })
    authority.loseLease()
    const late = authority.verifier.ready({ timeoutMs: 3_000 })
    late.catch(() => undefined)
    await vi.waitFor(() => expect(authority.verifier.health().replicas[0]?.problem).not.toBeNull())
    authority.clock.advance(3_000)
    await expect(late).rejects.toMatchObject({ code: 'timeout', cause: { code: 'replica_unavailable' } })
    const wait = authority.verifier.ready()
    authority.restoreLease()
    authority.clock.advance(2_000)
    await wait
  })
})

test('the events of a test authority tell of every revocation', async () => {
  const { signer, verifier } = await start()
  const heard: object[] = []
  verifier.on('revoked', (event) => heard.push(event))
  const { id } = await signer.mint({ org: 'acme', subject: 'alice' })
  await signer.revoke({ id })
  await signer.revokeIssued({ org: 'acme', subject: 'alice', issuedUpToMs: 7 })
  await signer.disableOrg({ org: 'acme' })
  await vi.waitFor(() =>
    expect(heard).toEqual([
      { seq: 1, kind: 'token', id },
      { seq: 2, kind: 'subject', org: 'acme', subject: 'alice', issuedUpToMs: 7 },
      { seq: 3, kind: 'org_disabled', org: 'acme' },
    ]),
  )
})

test('a test authority takes only options that it has, and names the nearest one', async () => {
  const refused = async (options: object): Promise<string> => {
    const error: { code?: string; message: string; hint?: string } = await createTestAuthority(options).then(
      () => new Error('accepted'),
      (reason: Error) => reason,
    )
    return `${error.code} ${error.message} ${error.hint}`
  }
  expect(await refused({ org: ['acme'] })).toContain('unknown key "org" did you mean "orgs"?')
  expect(await refused({ orgs: ['Not An Org'] })).toContain('config_invalid createTestAuthority: orgs.0')
  expect(await refused({ region: '' })).toContain('config_invalid')
  expect(await refused({ startMs: Number.NaN })).toContain('config_invalid')
  expect(await refused({ startMs: 1e15 })).toContain('config_invalid')
  expect(await refused({ cache: { entries: 0 } })).toContain('config_invalid')
})

test('two test authorities know nothing of each other, and a closed one answers nothing', async () => {
  const [one, two] = [await start(), await start()]
  const { token } = await one.signer.mint({ org: 'acme', subject: 'alice' })
  expect(await two.verifier.verify(token, ACCESS)).toMatchObject({ ok: false, reason: 'key_unknown' })
  await one.close()
  await expect(one.verifier.verify('x', ACCESS)).rejects.toMatchObject({ code: 'closed' })
  await expect(one.signer.createOrg('b')).rejects.toMatchObject({ code: 'closed' })
})
