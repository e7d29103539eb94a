/** The 3 a.m. table of the runbook, on real nodes: each situation shows the status that the runbook shows, and ends as it says. */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { systemClock, withWallTime } from '../../../shared/clock.ts'
import { systemHost, type Host } from '../../../shared/service/host.ts'
import { Cluster, scratch, until } from '../../integration/cluster/harness.ts'
import { canMount, named, smallVolume } from '../../integration/cluster/small-volume.ts'
import { Operator } from '../operator.ts'
import { blockOf, NIGHT, expectBlock } from './night.ts'
import { fillVolume, mintUntilFull } from './full-volume.ts'

const SITUATIONS = [
  'primary-dead',
  'lease-over',
  'archive-away',
  'disk-full',
  'clock-wrong',
  'kek-lost',
  'revoke-unavailable',
]
const TIMEOUT_MS = 150_000

test('the table has a block for each situation and for its end, and each is run here', () => {
  expect(NIGHT.map(({ name, file }) => `${name} ${file}`).toSorted()).toEqual(
    SITUATIONS.flatMap((one) => [`after ${one}`, `before ${one}`]).toSorted(),
  )
})

describe('on processes', () => {
  /** Types a block in the operator's folder; `systemctl` starts the units. */
  const expectTyped = (operator: Operator, name: 'before' | 'after', situation: string): Promise<void> =>
    expectBlock(blockOf(name, situation), {
      profile: operator.profile,
      onMachine: async (line) => {
        await operator.types(line)
      },
    })

  test(
    'a primary that is dead, and a KEK that is gone from its machine',
    async () => {
      const operator = await Operator.movedIn()
      await operator.units.primary.stop('SIGKILL')
      await expectTyped(operator, 'before', 'primary-dead')
      const kek = join(operator.folder, 'kek')
      renameSync(kek, `${kek}-elsewhere`)
      expect(await operator.units.primary.tries()).toContain('kek_missing')
      await expectTyped(operator, 'before', 'kek-lost')
      renameSync(`${kek}-elsewhere`, kek)
      await expectTyped(operator, 'after', 'kek-lost')
      await operator.units.primary.stop('SIGKILL')
      await expectTyped(operator, 'after', 'primary-dead')
    },
    TIMEOUT_MS,
  )

  test(
    'an archive that is away, and a revocation that is answered unavailable',
    async () => {
      const operator = await Operator.movedIn()
      const archive = join(operator.folder, 'primary-archive')
      await operator.call(['org', 'create', 'acme'])
      await operator.mint('alice')
      await operator.serving()
      renameSync(archive, `${archive}-elsewhere`)
      await operator.mint('bob')
      await expectTyped(operator, 'before', 'archive-away')
      renameSync(`${archive}-elsewhere`, archive)
      await expectTyped(operator, 'after', 'archive-away')

      await operator.units.replica.stop()
      await expectTyped(operator, 'before', 'revoke-unavailable')
      await expectTyped(operator, 'after', 'revoke-unavailable')
    },
    TIMEOUT_MS,
  )
})

describe('on nodes with a network, a clock and a disk that can be changed', () => {
  const archive = archiveConfig.parse({})
  const expectTyped = async (cluster: Cluster, name: 'before' | 'after', situation: string): Promise<void> =>
    expectBlock(blockOf(name, situation), {
      profile: await cluster.profile(),
      onMachine: (line) => Promise.reject(new Error(`no machine to type ${line} on`)),
    })

  test(
    'a replica past its lease',
    async () => {
      const cluster = await Cluster.start({ regions: ['fra', 'sin'], primary: { archive } })
      const proxy = await cluster.proxy('sin')
      proxy.down = true
      proxy.cutAll()
      await expectTyped(cluster, 'before', 'lease-over')
      proxy.down = false
      await expectTyped(cluster, 'after', 'lease-over')
    },
    TIMEOUT_MS,
  )

  test(
    'a primary whose clock is wrong',
    async () => {
      let byMs = 0
      const clock = withWallTime(systemClock, () => systemClock.wallMs() + byMs)
      const host: Host = { ...systemHost, clock }
      const cluster = await Cluster.start({ host, primary: { archive } })
      byMs = 3_600_000
      await expectTyped(cluster, 'before', 'clock-wrong')
      byMs = 0
      await expectTyped(cluster, 'after', 'clock-wrong')
    },
    TIMEOUT_MS,
  )

  test.skipIf(!canMount)(
    `a primary whose disk is full${named}`,
    async () => {
      const folder = join(scratch(), 'primary')
      smallVolume(folder, 8 * 1024 * 1024)
      const cluster = await Cluster.start({ primary: { archive, data: folder, checkpoint: { pages: 100 } } })
      const signer = await cluster.signer()
      await signer.createOrg('acme')
      const free = fillVolume(folder)
      await mintUntilFull(signer)
      await expectTyped(cluster, 'before', 'disk-full')
      free()
      await until(() => cluster.primary.writes === 'open', 'writes are open')
      await expectTyped(cluster, 'after', 'disk-full')
    },
    TIMEOUT_MS,
  )
})
