/** A primary whose clock is wrong: it grants leases, so it takes revocations (V8). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { systemClock, withWallTime } from '../../../shared/clock.ts'
import { systemHost, type Host } from '../../../shared/service/host.ts'
import { decodeHeader } from '../../../shared/ltx/header.ts'
import { FRESHNESS_DEFAULTS } from '../../../shared/freshness/bound.ts'
import { Cluster, codeOf, until } from './harness.ts'

const HOUR_MS = 3_600_000
/** Ahead by less than what counts as a jump. */
const BELIEVED_MS = 50_000

/** A machine whose date can be moved. */
class MovedClock {
  byMs = 0
  readonly host: Host = { ...systemHost, clock: withWallTime(systemClock, () => systemClock.wallMs() + this.byMs) }
}

async function doubting(): Promise<{ readonly cluster: Cluster; readonly clock: MovedClock }> {
  const clock = new MovedClock()
  const cluster = await Cluster.start({ host: clock.host })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  return { cluster, clock }
}

/** Of what is in the newest file of the log: a header of 12 bytes, with the length, before each segment. */
function segmentTimes(cluster: Cluster): readonly number[] {
  const folder = join(cluster.primaryFolder, 'log')
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith('.segments'))
    .toSorted()
    .at(-1)
  const bytes = readFileSync(join(folder, newest ?? ''))
  const times: number[] = []
  for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32BE(at + 4))
    times.push(decodeHeader(bytes.subarray(at + 12)).timestampMs)
  return times
}

const audited = (cluster: Cluster, action: string): readonly { at_ms: number; detail: string }[] => {
  const db = new Sqlite(`${cluster.primaryFolder}/macaroond.db`, { readonly: true })
  try {
    return db
      .prepare<[string], { at_ms: number; detail: string }>('SELECT at_ms, detail FROM audit WHERE action = ?')
      .all(action)
  } finally {
    db.close()
  }
}

test('a primary with its clock an hour ahead revokes, says how far, and later reaches the rest', async () => {
  const { cluster, clock } = await doubting()
  const signer = await cluster.signer()
  const verifier = await cluster.verifier()
  const minted = await Promise.all(['alice', 'bob', 'carol'].map((subject) => signer.mint({ org: 'acme', subject })))
  const [alice, bob, carol] = minted.map(({ token }) => token)
  await cluster.caughtUp()
  expect(await verifier.verify(alice ?? '', { org: 'acme' })).toMatchObject({ ok: true })

  clock.byMs = HOUR_MS
  expect(await codeOf(signer.mint({ org: 'acme', subject: 'dave' }))).toBe('clock_implausible')
  const revoked = await signer.revoke({ id: minted[0]?.id ?? '' })
  expect(revoked).toMatchObject({ durability: 'replica' })
  const cutOff = await signer.revokeIssued({ org: 'acme', subject: 'bob' })
  expect(cutOff).toMatchObject({ clockInDoubt: true, issuedUpToMs: minted.at(-1)?.issuedAtMs })
  for (const token of [alice, bob])
    await until(async () => !(await verifier.verify(token ?? '', { org: 'acme' })).ok, 'it is refused')
  expect(await verifier.verify(carol ?? '', { org: 'acme' })).toMatchObject({ ok: true })
  const status = await cluster.primaryStatus()
  expect(status).toMatchObject({ writes: 'clock in doubt' })
  expect(status.freshness.leaseMs).toBeGreaterThan(0)
  expect(status.alarms.map(({ code }) => code)).toEqual(['clock_doubt'])
  await until(() => audited(cluster, 'clock.doubted').length === 1, 'the doubt is audited')

  expect(Math.max(...segmentTimes(cluster))).toBeLessThan(systemClock.wallMs() + 60_000)

  clock.byMs = 0
  await until(() => audited(cluster, 'cut-off.again').length === 1, 'the cut-off is appended again')
  const [again] = audited(cluster, 'cut-off.again')
  expect((JSON.parse(again?.detail ?? '{}') as { untilMs: number }).untilMs).toBeGreaterThan(cutOff.issuedUpToMs)
  await until(() => audited(cluster, 'clock.believed').length === 1, 'the end of the doubt is audited')
  const later = await signer.mint({ org: 'acme', subject: 'bob' })
  await cluster.caughtUp()
  expect(await verifier.verify(later.token, { org: 'acme' })).toMatchObject({ ok: true })
  const times = audited(cluster, 'issued.revoke').map(({ at_ms }) => at_ms)
  expect(Math.max(...times)).toBeLessThan(systemClock.wallMs() + 60_000)
  expect((await cluster.primaryStatus()).alarms).toEqual([])
})

test('a cut-off that is due outlives a restart, and nothing is minted before it', async () => {
  const { cluster, clock } = await doubting()
  const signer = await cluster.signer()
  // Believed: the authority's time is ahead of what went by since the start, which a later process does not know.
  clock.byMs = BELIEVED_MS
  await signer.mint({ org: 'acme', subject: 'alice' })
  await cluster.caughtUp()
  clock.byMs = HOUR_MS
  const askedMs = systemClock.wallMs() + BELIEVED_MS
  const { issuedUpToMs } = await signer.revokeIssued({ org: 'acme' })
  await cluster.stopPrimary()
  clock.byMs = BELIEVED_MS
  await cluster.startPrimary()
  const mint = async (): Promise<boolean> => {
    const minted = await (await cluster.signer()).mint({ org: 'acme', subject: 'bob' }).catch(() => undefined)
    if (minted === undefined) return false
    const verdict = await (await cluster.verifier()).verify(minted.token, { org: 'acme' })
    return verdict.ok
  }
  await until(mint, 'a token that is minted later is accepted')
  const { revocations } = await (await cluster.signer()).listRevocations()
  expect(revocations.map(({ kind }) => kind)).toEqual(['org', 'org'])
  expect(issuedUpToMs).toBeLessThan(askedMs)
  expect(revocations.at(-1)?.issuedUpToMs).toBeGreaterThanOrEqual(askedMs)
})

test('a foreign write lock beyond the bound ends the leases, and the first write renews them', async () => {
  const freshness = { ...FRESHNESS_DEFAULTS, lease_ms: 400, ping_ms: 80 }
  const cluster = await Cluster.start({ primary: { freshness } })
  const [signer, verifier] = [await cluster.signer(), await cluster.verifier()]
  await signer.createOrg('acme')
  const { id, token } = await signer.mint({ org: 'acme', subject: 'x' })
  await cluster.caughtUp()
  const other = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'))
  other.exec('BEGIN IMMEDIATE')
  expect(await codeOf(signer.revoke({ id }))).toBe('overloaded')
  const leaseOf = async (): Promise<number> => (await cluster.primaryStatus()).freshness.leaseMs
  await until(async () => (await leaseOf()) === 0, 'no lease is granted')
  await until(async () => !(await verifier.verify(token, { org: 'acme' })).ok, 'the region is unavailable')
  const { alarms } = await cluster.primaryStatus()
  expect(alarms.map(({ code }) => code)).toContain('revocations_blocked')
  other.exec('ROLLBACK')
  other.close()
  await until(async () => (await leaseOf()) > 0, 'leases are granted again')
  await until(async () => (await verifier.verify(token, { org: 'acme' })).ok, 'the region accepts again')
  expect(await codeOf(signer.revoke({ id }))).toBe('no error')
  await until(() => audited(cluster, 'revocations.taken').length > 0, 'it is audited')
  expect(audited(cluster, 'revocations.blocked').length).toBeGreaterThan(0)
})
