/** The disks of a cluster that has just been set up: made once in a process, by the product itself, and copied for every run. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Primary } from '../../../primary/node.ts'
import { ORG } from './members.ts'
import { TestCluster } from './test-cluster.ts'

export const SETUP_EPOCH_MS: number = Date.UTC(2026, 0, 1)
/** After the set-up, by every clock. */
export const RUN_EPOCH_MS: number = SETUP_EPOCH_MS + 600_000

const FRESHNESS = { lease_ms: 1_000, ping_ms: 100 }
const PATIENCE_MS = 20_000

/** Returns the folder of the images. */
export async function makeTemplate(folder: string): Promise<string> {
  const images = join(folder, 'images')
  const options = { seed: 0, freshness: FRESHNESS, images: join(folder, 'nothing'), epochMs: SETUP_EPOCH_MS }
  for (const name of ['primary', 'fra', 'sin']) mkdirSync(join(options.images, name), { recursive: true })
  const cluster = new TestCluster({ ...options, folder: join(folder, 'setup') })
  cluster.startAll()
  await settle(cluster, () => createOrg(cluster))
  await cluster.scheduler.runUntil(cluster.scheduler.nowMs + 3_000)
  const primary = cluster.slot('primary').node as Primary
  if (primary.writes !== 'open') throw new Error(`the cluster was not set up: ${primary.writes}`)
  for (const [name, slot] of cluster.slots) {
    if (!slot.runs) continue
    await settle(cluster, () => slot.stop())
    cpSync(slot.image, join(images, name), { recursive: true })
  }
  cluster.close()
  if (cluster.problems.length > 0) throw new Error(cluster.problems.join('\n'))
  return images
}

async function createOrg(cluster: TestCluster): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      return void (await cluster.signer.createOrg(ORG))
    } catch (error) {
      if (left === 0) throw error
      await new Promise<void>((resolve) => cluster.operator.host.clock.after(50, resolve))
    }
  }
}

/** Lets time pass until the work is done. */
async function settle(cluster: TestCluster, work: () => Promise<void>): Promise<void> {
  let over = false
  const done = work().finally(() => (over = true))
  done.catch(() => undefined)
  await cluster.scheduler.runUntil(cluster.scheduler.nowMs + PATIENCE_MS, () => over)
  if (!over) throw new Error('the cluster was not set up in time')
  await done
}
