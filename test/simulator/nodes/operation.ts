/** An operator's command on a node's machine, which works on its disk while the node is down. Its machine can lose power. */
import { join } from 'node:path'
import type { Host } from '../../../shared/service/host.ts'
import type { Random } from '../../chaos/random.ts'
import { isPowerLost, Volume } from '../disk/volume.ts'
import type { Network } from '../network/network.ts'
import { UNOWNED } from '../time/scheduler.ts'
import type { Life, Machine } from './machine.ts'

export interface OperationOptions<T> {
  readonly machine: Machine
  readonly network: Network
  /** Of the run. */
  readonly folder: string
  /** Folders that the disk holds at first, by name. */
  readonly images: Readonly<Record<string, string>>
  readonly random: Random
  /** Power goes at so many calls that touch the disk; undefined for never. */
  readonly powerLostAt: number | undefined
  readonly work: (disk: string, host: Host) => Promise<T>
}

/** What the disk holds afterwards, and what came of the work; no result where power was lost before its end. */
export interface Operation<T> {
  readonly disk: string
  readonly result: { readonly value: T } | undefined
}

/** Rejects with what the work does. */
export function runOperation<T>(options: OperationOptions<T>): Promise<Operation<T>> {
  const { machine, network, folder, images, random, powerLostAt, work } = options
  machine.powered = true
  const life = machine.begin()
  const data = join(folder, `${machine.name}.operation.${life.number}`)
  for (const [name, image] of Object.entries(images)) copyImage(image, join(data, name), life)
  const volume = new Volume(data, life)
  const disk = `${data}.left`
  const { promise, resolve, reject } = Promise.withResolvers<Operation<T>>()
  const end = (how: 'killed' | 'power lost'): void => {
    network.end(life, how)
    life.end()
  }
  const { scheduler } = life
  const lost = (): void => {
    end('power lost')
    machine.powered = false
    machine.clock.reboot()
    volume.survivors(disk, random)
    scheduler.at(scheduler.nowMs, UNOWNED, () => {
      volume.close()
      resolve({ disk, result: undefined })
    })
  }
  if (powerLostAt !== undefined) volume.crashAfter(powerLostAt, lost)
  const over = (): void => {
    end('killed')
    volume.copyTo(disk)
    volume.close()
  }
  scheduler.at(scheduler.nowMs, life, () => {
    work(data, life.host).then(
      (value) => {
        if (life.over) return
        over()
        resolve({ disk, result: { value } })
      },
      (error: unknown) => {
        if (life.over || isPowerLost(error)) return
        over()
        reject(error)
      },
    )
  })
  return promise
}

function copyImage(image: string, to: string, life: Life): void {
  const volume = new Volume(image, life)
  volume.copyTo(to)
  volume.close()
}
