/** The slot of one node: its machine, its disk, and the process that runs there now, made of the modules that `main.ts` wires. */
import { join } from 'node:path'
import { Primary } from '../../../primary/node.ts'
import { Replica } from '../../../replica/node.ts'
import { assert, reportOf } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import type { Kek } from '../../../shared/sealing.ts'
import type { Random } from '../../chaos/random.ts'
import type { ArchiveLink } from '../archive/link.ts'
import { Volume } from '../disk/volume.ts'
import type { Network } from '../network/network.ts'
import { UNOWNED } from '../time/scheduler.ts'
import {
  type ArchivePlan,
  identityOf,
  KEK,
  primaryConfigIn,
  replicaConfigIn,
  type Freshness,
  type Region,
} from './members.ts'
import type { Life, Machine } from './machine.ts'

export interface SlotOptions {
  readonly role: 'primary' | 'replica'
  readonly machine: Machine
  readonly network: Network
  /** Of the run; every process gets a folder of its own in it. */
  readonly folder: string
  /** What the disk holds at first. */
  readonly image: string
  readonly freshness: Freshness
  /** Of a primary that archives. */
  readonly archive: { readonly plan: ArchivePlan; readonly link: ArchiveLink } | undefined
  readonly log: Log
  readonly random: Random
  /** A process that ended without an order. */
  readonly onFailed: (what: string) => void
  /** A process has ended otherwise than in order, and left this on the disk. */
  readonly onCrashed: (image: string) => void
}

interface Running {
  readonly life: Life
  readonly volume: Volume
  node: Primary | Replica | undefined
}

export class Slot {
  readonly #options: SlotOptions
  #image: string
  #running: Running | undefined
  #stopping = false
  #held = false
  /** What the next process is started with; the first one is what a rotation seals with. */
  ring: readonly [Kek, ...Kek[]] = [KEK]

  constructor(options: SlotOptions) {
    this.#options = options
    this.#image = options.image
  }

  get machine(): Machine {
    return this.#options.machine
  }

  /** Whether it can be ended; one that is about to stop cannot. */
  get runs(): boolean {
    return this.#running !== undefined && !this.#stopping
  }

  /** Somebody is about to stop it, or works on its disk. */
  get taken(): boolean {
    return this.#stopping || this.#held
  }

  get node(): Primary | Replica | undefined {
    return this.#running?.node
  }

  /** To be called by the scheduler: the node's first steps are taken at once. */
  start(): void {
    // Whoever has it stopped, or holds it, starts it again.
    if (this.taken) return
    const { machine, folder, onFailed } = this.#options
    assert(this.#running === undefined, 'one process a slot')
    machine.powered = true
    const life = machine.begin()
    const data = join(folder, `${machine.name}.${life.number}`)
    const image = new Volume(this.#image, life)
    image.copyTo(data)
    image.close()
    const running: Running = { life, volume: new Volume(data, life), node: undefined }
    this.#running = running
    const failed = (error: unknown): void => {
      if (!life.over) onFailed(`${machine.name} ended: ${JSON.stringify(reportOf(error))}`)
    }
    this.#open(data, life).then((node) => {
      running.node = node
      void node.failed.then(failed)
    }, failed)
  }

  /** Copies the disk while it is in use, as it is at this moment. */
  copyDisk(): string {
    const { folder, machine } = this.#options
    const copy = join(folder, `${machine.name}.copy.${Math.floor(machine.clock.wallMs())}`)
    this.#now().volume.copyTo(copy)
    return copy
  }

  /** The disk of the process that runs is full until what it returns is called; with `pages` the database cannot grow. */
  fillDisk(pages: boolean): () => void {
    return this.#now().volume.fill(pages)
  }

  get isDiskFull(): boolean {
    return this.#running?.volume.full === true
  }

  /** Nobody starts it until what it returns is called. */
  hold(): () => void {
    assert(this.#running === undefined, 'nobody uses the disk')
    this.#held = true
    return () => void (this.#held = false)
  }

  /** All that was written is there for the next process. */
  kill(): void {
    const { volume } = this.#end('killed')
    volume.copyTo(this.#nextImage())
    volume.close()
    this.#options.onCrashed(this.#image)
  }

  /** The end of the run: nobody starts from this disk again. */
  abandon(): void {
    this.#end('killed').volume.close()
  }

  /** What was not synced may be gone. Returns how many writes are. */
  losePower(): number {
    const { volume } = this.#end('power lost')
    const lost = volume.survivors(this.#nextImage(), this.#options.random)
    volume.close()
    this.#options.onCrashed(this.#image)
    return lost
  }

  /** As `losePower`, in the middle of whatever the process does with its files next but so many. */
  losePowerAt(steps: number, onLost: (lost: number) => void): void {
    const { life, volume } = this.#now()
    volume.crashAfter(steps, () => {
      this.#end('power lost')
      onLost(volume.survivors(this.#nextImage(), this.#options.random))
      this.#options.onCrashed(this.#image)
      life.scheduler.at(life.scheduler.nowMs, UNOWNED, () => volume.close())
    })
  }

  /** In order; resolves when it has stopped. The image is what it left. */
  async stop(): Promise<void> {
    const { node, life, volume } = this.#now()
    this.#stopping = true
    await node?.stop()
    this.#stopping = false
    life.end()
    this.#running = undefined
    volume.copyTo(this.#nextImage())
    volume.close()
  }

  /** What the disk holds between two processes. */
  get image(): string {
    return this.#image
  }

  /** Where the process that runs has its files. */
  get data(): string | undefined {
    return this.#running?.volume.folder
  }

  /** Another disk is put into the machine. */
  replaceDisk(image: string): void {
    assert(this.#running === undefined, 'nobody uses the disk')
    this.#image = image
  }

  #open(data: string, { host }: Life): Promise<Primary | Replica> {
    const { role, machine, freshness, archive, log } = this.#options
    const [kek, ...previousKeks] = this.ring
    const common = { identity: identityOf(role === 'primary' ? role : machine.name), kek, previousKeks, log, host }
    if (role === 'primary') {
      const config = primaryConfigIn(data, freshness, archive?.plan)
      const ports = archive === undefined ? {} : { archivePorts: archive.link.portsIn(data, host.clock) }
      return Primary.start({ ...common, ...ports, config, reread: () => config })
    }
    const config = replicaConfigIn(data, machine.name as Region)
    return Replica.start({ ...common, config, reread: () => config })
  }

  #end(how: 'killed' | 'power lost'): Running {
    const running = this.#now()
    const { network, machine } = this.#options
    network.end(running.life, how)
    running.life.end()
    this.#running = undefined
    if (how === 'power lost') {
      machine.powered = false
      machine.clock.reboot()
    }
    return running
  }

  #now(): Running {
    assert(this.#running !== undefined, 'a process runs')
    return this.#running
  }

  #nextImage(): string {
    const { folder, machine } = this.#options
    this.#image = join(folder, `${machine.name}.image.${this.#image.length}.${Math.floor(machine.clock.wallMs())}`)
    return this.#image
  }
}
