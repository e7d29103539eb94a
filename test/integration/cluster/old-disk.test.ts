import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { Cluster, until } from './harness.ts'

/** In another process: closing a database's file here would drop every lock that this process has on it. */
function copyOf(folder: string): string {
  execFileSync('cp', ['-r', folder, `${folder}.copy`])
  onTestFinished(() => rmSync(`${folder}.copy`, { recursive: true, force: true }))
  return `${folder}.copy`
}

function putBack(folder: string): void {
  rmSync(folder, { recursive: true })
  execFileSync('cp', ['-r', `${folder}.copy`, folder])
}

test('revocations acknowledged ahead of their pages refuse an old primary, and stay denials', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const tokens = await Promise.all([1, 2, 3].map((n) => signer.mint({ org: 'acme', subject: `holder ${n}` })))
  await cluster.caughtUp()
  await cluster.stopPrimary()
  copyOf(cluster.primaryFolder)
  await cluster.startPrimary()
  await until(() => cluster.primary.writes === 'open', 'writes are open')
  // An operator's write transaction keeps the pages out of the replica, but not the revocations.
  const operator = new Sqlite(join(cluster.replicaFolder(), 'macaroond.db'))
  operator.exec('BEGIN IMMEDIATE')
  const signerAgain = await cluster.signer()
  for (const { id } of tokens) expect((await signerAgain.revoke({ id })).durability).toBe('replica')
  copyOf(cluster.replicaFolder())
  operator.exec('ROLLBACK')
  operator.close()
  await cluster.stopReplica()
  await cluster.stopPrimary()
  putBack(cluster.replicaFolder())
  putBack(cluster.primaryFolder)

  await cluster.startPrimary()
  await cluster.startReplica()
  await until(async () => (await cluster.replicaStatus()).alarm !== null, 'the replica alarms')
  expect(cluster.primary.writes).toBe('unconfirmed')
  const refused = async (): Promise<void> => {
    const verifier = await cluster.verifier()
    const verdicts = await Promise.all(tokens.map(({ token }) => verifier.verify(token, { org: 'acme' })))
    // It knows of the denials, and says nothing of any token: such a primary gives it no lease.
    const reasons = verdicts.map((verdict) => (verdict.ok ? 'accepted' : verdict.reason))
    expect(reasons).toEqual(['unavailable', 'unavailable', 'unavailable'])
    expect((await cluster.replicaStatus()).revocations).toBe(tokens.length)
  }
  await refused()
  await cluster.stopReplica()
  await cluster.startReplica()
  await refused()
})

test('a replica that stops reading its snapshot blocks no WAL reset, and leaves no file behind', async () => {
  const cluster = await Cluster.start({ regions: ['fra', 'sin'], primary: { checkpoint: { pages: 100 } } })
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const mintMany = async (): Promise<void> => {
    for (let round = 0; round < 15; round += 1) {
      await Promise.all(Array.from({ length: 100 }, () => signer.mint({ org: 'acme', subject: 'x'.repeat(200) })))
    }
  }
  await mintMany()
  await cluster.stopReplica('sin')
  const nothing = { position: null, timeline: null, signed: null, revocations: null, boot: 'b'.repeat(32) }
  const stalled = await cluster.dialPrimary('sin', 'wal', nothing)
  const snapshots = (): string[] => readdirSync(cluster.primaryFolder).filter((name) => name.startsWith('snapshot-'))
  await until(() => snapshots().length === 1, 'a snapshot is written')
  await mintMany()
  await mintMany()
  await cluster.caughtUp('fra')
  expect((await cluster.primaryStatus()).walFrames).toBeLessThan(1_000)
  stalled.abort(new Error('the test is over'))
  await until(() => snapshots().length === 0, 'the snapshot is deleted')
})

test('a second connection of one replica takes the place of the first', async () => {
  const cluster = await Cluster.start()
  await cluster.stopReplica()
  const nothing = { position: null, timeline: null, signed: null, revocations: null, boot: 'b'.repeat(32) }
  const first = await cluster.dialPrimary('fra', 'wal', nothing)
  await cluster.dialPrimary('fra', 'wal', nothing)
  expect(await first.closed).toMatchObject({ code: 'connection_lost' })
})
