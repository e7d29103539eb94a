/**
 * A cluster of an earlier version is upgraded node by node under load, and taken back as far as its schema allows. Verdicts of
 * both versions' workers are judged all the time; at the end the disks are held against what was acknowledged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, type ExpectStatic, test, type TestContext } from 'vitest'
import { SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { Fleet } from './fleet.ts'
import { install, type Installed } from './installed.ts'

/** 0.1.0 has schema 4; 0.2.0 is the previous version, with the schema of this one. */
const VERSIONS = ['0.1.0', '0.2.0']

describe.concurrent.each(VERSIONS)('from %s', (version) => {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-upgrade-'))
  const installed = install(version, folder)
  // Each test rejects with it.
  installed.catch(() => undefined)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const started = async ({ onTestFinished }: TestContext): Promise<{ fleet: Fleet; old: Installed }> => {
    const old = await installed
    const fleet = await Fleet.start(old)
    onTestFinished(() => fleet.remove())
    await fleet.survives('the old version works')
    return { fleet, old }
  }

  test('node by node, replicas first, then back: there is no wrong verdict, no lost write', async (context) => {
    const { expect } = context
    const { fleet, old } = await started(context)
    await upgradeReplicas(fleet)
    await tryPrimary(fleet, old, expect)

    await fleet.replace(fleet.primary, 'new')
    await fleet.survives('all of it is new')
    expect(fleet.schema).toBe(SCHEMA_VERSION)
    if (old.schema < SCHEMA_VERSION) await expectNoWayBack(fleet, expect)
    else for (const node of fleet.nodes) await fleet.replace(node, 'old')
    await fleet.survives('the last of its nodes was started again')
    await fleet.judge()
  })

  test('the primary first, the wrong order: an old replica never guesses, and resumes after', async (context) => {
    const { expect } = context
    const { fleet, old } = await started(context)
    const { primary, fra, sin } = fleet
    await fleet.replace(primary, 'new')
    if (old.schema < SCHEMA_VERSION) {
      for (const replica of [fra, sin]) expect(await fleet.endOfRunning(replica)).toContain('schema_newer')
      for (const replica of [fra, sin]) await fleet.run(replica, 'new')
    } else {
      await fleet.survives('old replicas under a new primary')
      for (const replica of [fra, sin]) await fleet.replace(replica, 'new')
    }
    await fleet.survives('all of it is new')
    await fleet.judge()
  })
})

async function upgradeReplicas(fleet: Fleet): Promise<void> {
  const { fra, sin } = fleet
  await fleet.replace(fra, 'new')
  await fleet.survives('one new replica, one old, under an old primary')
  await fleet.replace(sin, 'new')
  await fleet.survives('new replicas under an old primary')
  for (const replica of [fra, sin]) await fleet.replace(replica, 'old')
  await fleet.survives('the replicas went back')
  for (const replica of [fra, sin]) await fleet.replace(replica, 'new')
}

/** A primary that no replica has confirmed writes nothing, so it migrates nothing and can be taken back. */
async function tryPrimary(fleet: Fleet, old: Installed, expect: ExpectStatic): Promise<void> {
  const { primary, fra, sin } = fleet
  const { authorityKey } = await fleet.status
  for (const node of [fra, sin]) await fleet.stop(node)
  expect(await fleet.schemaRestoredFrom(fra, authorityKey)).toBe(old.schema)
  await fleet.replace(primary, 'new')
  expect((await fleet.status).writes).toBe('unconfirmed')
  await fleet.replace(primary, 'old')
  expect(fleet.schema).toBe(old.schema)
  for (const node of [fra, sin]) await fleet.run(node, 'new')
  await fleet.survives('the primary went back before it migrated')
}

/** Where there is no way back each node says so by its code, and changes nothing. */
async function expectNoWayBack(fleet: Fleet, expect: ExpectStatic): Promise<void> {
  for (const node of [fleet.sin, fleet.primary]) {
    await fleet.stop(node)
    expect(await fleet.endOf(node, 'old')).toContain('schema_newer')
    await fleet.run(node, 'new')
  }
}
