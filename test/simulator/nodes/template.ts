/** The disks of a cluster that has just been set up: made once in a process, by the product itself, and copied for every run. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Primary } from '../../../primary/node.ts'
import { ORG } from './cast.ts'
import { Stage } from './stage.ts'

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
  const stage = new Stage({ ...options, folder: join(folder, 'setup') })
  stage.startAll()
  await settle(stage, () => createOrg(stage))
  await stage.scheduler.runUntil(stage.scheduler.nowMs + 3_000)
  const primary = stage.seat('primary').node as Primary
  if (primary.writes !== 'open') throw new Error(`the cluster was not set up: ${primary.writes}`)
  for (const [name, seat] of stage.seats) {
    if (!seat.runs) continue
    await settle(stage, () => seat.stop())
    cpSync(seat.image, join(images, name), { recursive: true })
  }
  stage.strike()
  if (stage.problems.length > 0) throw new Error(stage.problems.join('\n'))
  return images
}

async function createOrg(stage: Stage): Promise<void> {
  for (let left = 100; ; left -= 1) {
    try {
      return void (await stage.signer.createOrg(ORG))
    } catch (error) {
      if (left === 0) throw error
      await new Promise<void>((resolve) => stage.operator.host.clock.after(50, resolve))
    }
  }
}

/** Lets time pass until the work is done. */
async function settle(stage: Stage, work: () => Promise<void>): Promise<void> {
  let over = false
  const done = work().finally(() => (over = true))
  done.catch(() => undefined)
  await stage.scheduler.runUntil(stage.scheduler.nowMs + PATIENCE_MS, () => over)
  if (!over) throw new Error('the cluster was not set up in time')
  await done
}
