/** A program that keeps a transaction open on the database of a node: nothing fails, and the WAL grows. */
import Database from 'better-sqlite3'
import { join } from 'node:path'
import { test } from 'vitest'
import { Cluster, until } from './harness.ts'

test('a long reader raises an alarm at primary and replica, and the WALs are small again after', async () => {
  const checkpoint = { pages: 100 }
  const cluster = await Cluster.start({ primary: { checkpoint }, replica: { checkpoint } })
  const signer = await cluster.signer('operator')
  await signer.createOrg('acme')
  await cluster.caughtUp()
  const readers = [cluster.primaryFolder, cluster.replicaFolder()].map((data) => {
    const reader = new Database(join(data, 'macaroond.db'), { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM orgs').get()
    return reader
  })
  const alarmsOf = async (): Promise<readonly string[]> => {
    const status = [await cluster.primaryStatus(), await cluster.replicaStatus()]
    return status.map(({ alarms }) => alarms.find(({ code }) => code === 'wal_growing')?.message ?? '')
  }
  const mintMany = async (): Promise<void> => {
    for (let round = 0; round < 20; round += 1)
      await Promise.all(Array.from({ length: 5 }, () => signer.mint({ org: 'acme', subject: 'x' })))
    await cluster.caughtUp()
  }
  await until(async () => {
    await mintMany()
    return (await alarmsOf()).every((message) => message.includes('a program reads it'))
  }, 'both nodes have the alarm')
  for (const reader of readers) reader.close()
  await until(async () => {
    await mintMany()
    return (await alarmsOf()).every((message) => message === '')
  }, 'the alarms are over')
})
