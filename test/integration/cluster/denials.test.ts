/**
 * S3 across histories: what a replica has refused it goes on refusing when a restore has undone the revocation, and the new
 * primary learns of it.
 */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, test } from 'vitest'
import { beginEpoch } from '../../../ops/restore/new-epoch.ts'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { openWritable } from '../../../shared/sqlite/open-database.ts'
import { commandLine, type Ran } from '../cli/command.ts'
import { Cluster, until } from './harness.ts'

const REGIONS = ['fra', 'sin'] as const

/** The pages of both are durable: their journals hold nothing more. */
async function untilDurable(cluster: Cluster): Promise<void> {
  const isDurable = async (): Promise<boolean> => (await cluster.primaryStatus()).replicas.every(({ lag }) => lag === 0)
  await until(isDurable, 'both replicas have the pages')
}

async function stopAll(cluster: Cluster): Promise<void> {
  for (const region of REGIONS) await cluster.stopReplica(region)
  await cluster.stopPrimary()
}

async function startAll(cluster: Cluster): Promise<void> {
  await cluster.startPrimary()
  for (const region of REGIONS) await cluster.startReplica(region)
  for (const region of REGIONS) await cluster.caughtUp(region)
}

interface Undone {
  readonly cluster: Cluster
  readonly signer: Signer
  readonly run: (...args: readonly string[]) => Promise<Ran>
  /** How both replicas and a token that was minted before the moment stand. */
  readonly verdicts: (token: string, org?: string) => Promise<readonly (string | true)[]>
}

/** A cluster whose primary was put back to a moment, as a restore does that asks nobody; what `after` did is undone. */
async function undone(
  before: (signer: Signer) => Promise<void>,
  after: (signer: Signer) => Promise<void>,
  withoutRevocations = false,
): Promise<Undone> {
  const cluster = await Cluster.start({ regions: REGIONS })
  const first = await cluster.signer()
  await before(first)
  const copy = join(cluster.folder, 'copy.db')
  const db = new Sqlite(join(cluster.primaryFolder, 'macaroond.db'))
  db.prepare('VACUUM INTO ?').run(copy)
  db.close()
  await after(first)
  await first.close()
  await untilDurable(cluster)
  await stopAll(cluster)
  putBack(cluster, copy, withoutRevocations)
  await startAll(cluster)
  const signer = await cluster.signer()
  const profile = await cluster.profile()
  return {
    cluster,
    signer,
    run: (...args) => commandLine([...args, '--json'], { profile }),
    verdicts: (token, org = 'acme') =>
      Promise.all(
        REGIONS.map(async (region) => {
          const verdict = await (await cluster.verifier(region)).verify(token, { org })
          return verdict.ok ? true : verdict.reason
        }),
      ),
  }
}

function putBack(cluster: Cluster, copy: string, withoutRevocations: boolean): void {
  const db = openWritable(copy)
  const { epoch, txid } = db.prepare<[], { epoch: number; txid: number }>('SELECT epoch, txid FROM meta').get()!
  const carried = withoutRevocations ? undefined : { revocations: [], there: 0, sources: [], alone: [] }
  const highest = { epoch, txid, written: epoch }
  beginEpoch(db, { evidence: [], highest, carried, waiting: [], clock: systemClock, entropy: systemEntropy })
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
  rmSync(cluster.primaryFolder, { recursive: true })
  mkdirSync(cluster.primaryFolder, { mode: 0o700 })
  cpSync(copy, join(cluster.primaryFolder, 'macaroond.db'))
}

const REVOKED = ['revoked', 'revoked'] as const
const GOOD = [true, true] as const

test('the primary adopts single tokens and subjects by itself; an operator adopts broader kinds', async () => {
  const tokens: Record<string, string> = {}
  const { cluster, signer, run, verdicts } = await undone(
    async (before) => {
      for (const org of ['acme', 'globex', 'initech']) await before.createOrg(org)
      for (const subject of ['alice', 'bob', 'carol'])
        tokens[subject] = (await before.mint({ org: 'acme', subject })).token
      tokens['globex'] = (await before.mint({ org: 'globex', subject: 'x' })).token
      tokens['initech'] = (await before.mint({ org: 'initech', subject: 'x' })).token
    },
    async (after) => {
      await after.revoke({ token: tokens['alice'] ?? '', reason: 'stolen' })
      await after.revokeIssued({ org: 'globex' })
      await after.disableOrg({ org: 'initech' })
    },
  )
  await until(async () => (await signer.listRevocations()).revocations.length === 1, 'one is adopted')
  const { revocations } = await signer.listRevocations()
  expect(revocations).toMatchObject([{ kind: 'token', org: 'acme', reason: 'adopted (epoch 1, 1): stolen' }])
  expect(revocations[0]?.actor).toMatch(/^replica (fra|sin) 12D3Koo/)
  expect(await verdicts(tokens['alice'] ?? '')).toEqual(REVOKED)
  expect(await verdicts(tokens['globex'] ?? '', 'globex')).toEqual(REVOKED)
  expect(await verdicts(tokens['initech'] ?? '', 'initech')).toEqual(['org_disabled', 'org_disabled'])
  expect(await verdicts(tokens['bob'] ?? '')).toEqual(GOOD)

  const pending = await run('revocations', 'pending')
  const why = { why: 'kind', replicas: ['fra', 'sin'], epoch: 1 }
  const isBoth = async (): Promise<boolean> =>
    (await cluster.primaryStatus()).replicas.every(({ denialsWaiting }) => denialsWaiting === 2)
  await until(isBoth, 'both replicas have told')
  expect((await run('revocations', 'pending')).json()).toMatchObject({
    waiting: 2,
    revocations: [
      { ...why, seq: 2, kind: 'org', org: 'globex' },
      { ...why, seq: 3, kind: 'org_disabled', org: 'initech' },
    ],
  })
  expect(pending.status).toBe(0)
  expect((await cluster.primaryStatus()).alarms.map(({ code, about }) => `${code} ${about}`)).toEqual(
    expect.arrayContaining(['denials_waiting fra', 'denials_waiting sin']),
  )

  expect((await run('revocations', 'adopt', '--all')).json()).toMatchObject({ adopted: 2, waiting: 0 })
  const kinds = (await signer.listRevocations()).revocations.map(({ kind }) => kind)
  expect(kinds.toSorted()).toEqual(['org', 'org_disabled', 'token'])
  expect((await signer.listOrgs()).orgs.find(({ name }) => name === 'initech')).toMatchObject({ state: 'disabled' })
  // Durable pages hold them now: the replicas need not keep them any more.
  const isGone = (): boolean => REGIONS.every((region) => !existsSync(join(cluster.replicaFolder(region), 'denials')))
  await until(isGone, 'no denials are kept')
  for (const region of REGIONS) await cluster.stopReplica(region)
  for (const region of REGIONS) await cluster.startReplica(region)
  for (const region of REGIONS) await cluster.caughtUp(region)
  expect(await verdicts(tokens['globex'] ?? '', 'globex')).toEqual(REVOKED)
})

test('a restore without revocations leaves all waiting; what is given up is accepted again', async () => {
  const tokens: Record<string, string> = {}
  const { cluster, signer, run, verdicts } = await undone(
    async (before) => {
      await before.createOrg('acme')
      for (const subject of ['alice', 'bob']) tokens[subject] = (await before.mint({ org: 'acme', subject })).token
    },
    async (after) => {
      await after.revoke({ token: tokens['alice'] ?? '' })
      await after.revokeIssued({ org: 'acme', subject: 'bob' })
    },
    true,
  )
  const isBoth = async (): Promise<boolean> =>
    (await cluster.primaryStatus()).replicas.every(({ denialsWaiting }) => denialsWaiting === 2)
  await until(isBoth, 'both replicas have told')
  const pending = (await run('revocations', 'pending')).json<{ revocations: { timeline: string; why: string }[] }>()
  expect(pending.revocations.map(({ why }) => why)).toEqual(Array(2).fill('restored without revocations'))
  expect((await signer.listRevocations()).revocations).toEqual([])
  expect(await verdicts(tokens['alice'] ?? '')).toEqual(REVOKED)

  const timeline = pending.revocations[0]?.timeline ?? ''
  const one = ['--timeline', timeline, '--seq', '1'] as const
  expect(await run('revocations', 'forget', ...one)).toMatchObject({ status: 2 })
  const forgotten = await run('revocations', 'forget', ...one, '--reason', 'on purpose', '--yes')
  expect(forgotten.json()).toMatchObject({ forgotten: 1, waiting: 1 })
  const isAccepted = async (): Promise<boolean> => (await verdicts(tokens['alice'] ?? '')).every((ok) => ok === true)
  await until(isAccepted, 'both replicas accept what was given up')
  expect(await verdicts(tokens['bob'] ?? '')).toEqual(REVOKED)

  // Cut-offs are maxima: the table is made anew without them.
  expect((await run('revocations', 'forget', '--all', '--yes')).json()).toMatchObject({ forgotten: 1, waiting: 0 })
  await until(async () => (await verdicts(tokens['bob'] ?? '')).every((ok) => ok === true), 'bob is accepted')
  for (const region of REGIONS) await cluster.stopReplica(region)
  for (const region of REGIONS) await cluster.startReplica(region)
  for (const region of REGIONS) await cluster.caughtUp(region)
  expect(await verdicts(tokens['alice'] ?? '')).toEqual(GOOD)
  await signer.revoke({ token: tokens['alice'] ?? '' })
  const isRefused = async (): Promise<boolean> =>
    (await verdicts(tokens['alice'] ?? '')).every((ok) => ok === 'revoked')
  await until(isRefused, 'both replicas refuse what was revoked again')
  expect(await verdicts(tokens['bob'] ?? '')).toEqual(GOOD)
})

test('a restore without revocations names before and after the nodes that still refuse', async () => {
  const archive = archiveConfig.parse({ upload_every_ms: 0 })
  const cluster = await Cluster.start({ regions: REGIONS, primary: { archive } })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token, position } = await signer.mint({ org: 'acme', subject: 'mallory' })
  await signer.revoke({ token })
  await signer.forgetRevocations({ timeline: 'f'.repeat(32), first: 3, last: 4, reason: 'long ago' })
  await untilDurable(cluster)
  await until(async () => (await cluster.primaryStatus()).archive?.lag === 0, 'everything is archived')
  const [profile, { authorityKey }] = [await cluster.profile(), await cluster.primaryStatus()]
  await signer.close()
  await cluster.stopPrimary()
  const output = join(cluster.folder, 'restored.db')
  const txid = String(Number.parseInt(position.split('.')[1] ?? '', 16))
  const options = ['--archive', `${cluster.primaryFolder}-archive`, '--key', authorityKey, '--txid', txid]
  const args = ['restore', ...options, '--output', output, '--without-revocations', '--accept-head', '--yes']
  const { stdout, stderr, status } = await commandLine(args, { profile })
  expect(status, stderr).toBe(0)
  for (const text of [stdout, stderr])
    for (const region of REGIONS)
      expect(text).toContain(`STILL REFUSED: replica ${region} enforces 1 revocation that this restore leaves out`)
  const db = new Sqlite(output, { readonly: true })
  expect(db.prepare('SELECT timeline, first, last FROM forgotten').all()).toEqual([
    { timeline: 'f'.repeat(32), first: 3, last: 4 },
  ])
  expect(db.prepare('SELECT epoch = without_revocations_epoch FROM meta').pluck().get()).toBe(1)
  db.close()
})
