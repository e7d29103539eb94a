/** Runs one cluster through a few schedules of faults and a final check. The checker judges the whole history. */
import type { HistoryEvent } from '../../history/event.ts'
import type { FacilityName } from '../facilities/facilities.ts'
import { Random } from '../random.ts'
import { allFresh, lastLook } from './last-look.ts'
import { Load } from './load.ts'
import { boundsFor, timeOrdered, warm } from './run.ts'
import { inject, Schedules, scheduleText } from './schedules.ts'
import { Testbed } from './testbed.ts'

export interface CampaignOptions {
  readonly seed: number
  readonly leaseMs: number
  readonly schedules: number
  readonly lacking: ReadonlySet<FacilityName>
  readonly say: (line: string) => void
}

export interface CampaignResult {
  /** By the time of the answers. */
  readonly events: readonly HistoryEvent[]
  /** One sentence for each thing that must not be at the end. */
  readonly found: readonly string[]
}

/** Leases of before a fault have ended, and what was revoked in it is seen on both sides of its bound. */
const SETTLE = 1.3

export async function runCluster(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, leaseMs, schedules, lacking, say } = options
  const { revocationMs } = boundsFor(leaseMs)
  const random = new Random(seed)
  const drawn = new Schedules(random, leaseMs, lacking)
  const testbed = await Testbed.create({ leaseMs, slowLinks: true })
  let keep = true
  try {
    const load = await Load.start(testbed, { random: new Random(seed + 1), watchMs: 2.5 * revocationMs })
    await warm(testbed)
    const found: string[] = []
    for (let left = schedules; left > 0; left -= 1) {
      const schedule = drawn.next()
      say(`seed ${seed}: ${scheduleText(schedule)}`)
      testbed.events.push(...(await inject(testbed, schedule)))
      if (!(await allFresh(testbed, load))) found.push(`not everybody was fresh again after ${scheduleText(schedule)}`)
      await testbed.pause(SETTLE * revocationMs)
    }
    await load.stop()
    found.push(...(await lastLook(testbed, load)))
    keep = found.length > 0
    return { events: timeOrdered(testbed.events), found }
  } finally {
    await testbed.close({ keep })
    if (keep) say(`the files of this cluster are in ${testbed.cluster.root}`)
  }
}
