/** Faults beyond cuts and signals: control groups, lossy and narrow links, another hour at the start, a replica's disk. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { disturb } from '../disturb.ts'
import { ControlGroup } from '../facilities/control-group.ts'
import { Namespaces } from '../network/namespaces.ts'
import { begin, during, end, type Fault, pidOf } from './nemesis.ts'
import { type Region, servicesOf, type Testbed } from './testbed.ts'

/** All threads of a process and whatever it started, without a signal that it could see (matrix: the freezer). */
export function freeze(target: string, ms: number): Fault {
  return during('frozen', target, async (testbed) => {
    const group = ControlGroup.around(pidOf(testbed, target), 'freezer')
    try {
      group.freeze()
      await delay(ms)
      const frozen = group.isFrozen()
      return () => (frozen ? 1 : 0)
    } finally {
      group.thaw()
      group.remove()
    }
  })
}

/** So many percent of one processor. */
export function throttle(target: string, percent: number, ms: number): Fault {
  return during('processor throttled', target, async (testbed) => {
    const group = ControlGroup.around(pidOf(testbed, target), 'cpu')
    try {
      group.limit(percent)
      await delay(ms)
      const periods = group.throttled()
      return () => periods
    } finally {
      group.remove()
    }
  })
}

/** What reaches a region’s replica, from the primary and from its services, comes through so few kilobits a second. */
export function narrow(region: Region, kbit: number, ms: number): Fault {
  return during('narrow link', region, async (testbed) => {
    const widen = hostsOf(testbed).narrow(region, kbit)
    await delay(ms)
    return widen
  })
}

/** Between the primary and a region, both ways. */
export function loseToPrimary(region: Region, percent: number, ms: number): Fault {
  return lose(region, region, 'primary', percent, ms)
}

/** Between a region’s replica and its services, both ways. */
export function loseToServices(region: Region, percent: number, ms: number): Fault {
  return lose(servicesOf(region), servicesOf(region), region, percent, ms)
}

function lose(target: string, at: string, other: string, percent: number, ms: number): Fault {
  return during('packets lost', target, async (testbed) => {
    hostsOf(testbed).lose(at, other, percent)
    await delay(ms)
    return () => testbed.network.heal(at)
  })
}

/** Killed, and started while its wall clock is somewhere else; then killed and started once more, with the true time. */
export function startAtAnotherHour(target: string, seconds: number, ms: number): Fault {
  return during('wall clock moved', target, async (testbed) => {
    const clock = testbed.clocks.get(target)
    await end(testbed, target)
    clock?.move(seconds)
    await begin(testbed, target)
    await delay(ms)
    await end(testbed, target)
    clock?.move(0)
    await begin(testbed, target)
    return () => 1
  })
}

/** A replica that is killed, and starts again on a copy of its disk from before it lived on for a while. */
export function putDiskBack(region: Region, ms: number): Fault {
  return during('disk put back', region, async (testbed) => {
    const files = testbed.files(region)
    const earlier = join(files.folder, 'earlier')
    await end(testbed, region)
    cpSync(files.data, earlier, { recursive: true })
    await begin(testbed, region)
    await delay(ms)
    await onDisk(testbed, region, () => disturb(files, 'put back', earlier))
    rmSync(earlier, { recursive: true })
    return () => 1
  })
}

/** A replica that is killed, and starts again with one bit of every page changed. */
export function damageDisk(region: Region): Fault {
  return during('disk damaged', region, async (testbed) => {
    await onDisk(testbed, region, () => disturb(testbed.files(region), 'damaged', ''))
    return () => 1
  })
}

/** A replica that is killed, and starts again with nothing. */
export function loseDisk(region: Region): Fault {
  return during('disk lost', region, async (testbed) => {
    await onDisk(testbed, region, () => disturb(testbed.files(region), 'wiped', ''))
    return () => 1
  })
}

async function onDisk(testbed: Testbed, region: Region, change: () => void): Promise<void> {
  await end(testbed, region)
  change()
  await begin(testbed, region)
}

function hostsOf({ network }: Testbed): Namespaces {
  if (!(network instanceof Namespaces)) throw new Error('only namespaces have links that can be lossy or narrow')
  return network
}
