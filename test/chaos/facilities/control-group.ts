/**
 * Control groups of the kernel, in either version: a process and all that it starts stand still, or get a small part of one
 * processor. Needs root; a group is made for one process and removed again, and the process goes back to where it was.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type Controller = 'freezer' | 'cpu'

const MOUNT = '/sys/fs/cgroup'
/** Files of version 1, by controller; in version 2 one tree has them all (kernel documentation, admin-guide/cgroup-v2). */
const FILES = {
  1: { freezer: 'freezer.state', cpu: 'cpu.cfs_quota_us' },
  2: { freezer: 'cgroup.freeze', cpu: 'cpu.max' },
} as const
const PERIOD_US = 100_000

interface Tree {
  readonly version: 1 | 2
  readonly root: string
}

function treeOf(controller: Controller): Tree {
  const own = join(MOUNT, controller)
  return existsSync(own) ? { version: 1, root: own } : { version: 2, root: MOUNT }
}

export class ControlGroup {
  readonly #controller: Controller
  readonly #tree: Tree
  readonly #folder: string
  readonly #pid: number
  readonly #before: string

  private constructor(controller: Controller, pid: number) {
    this.#controller = controller
    this.#tree = treeOf(controller)
    this.#pid = pid
    this.#before = groupOf(pid, controller, this.#tree)
    const above = this.#tree.version === 1 ? this.#before : dirname(this.#before)
    this.#folder = join(above, `macaroond-${process.pid}-${pid}`)
  }

  /** Throws what the kernel says where this is not possible. */
  static around(pid: number, controller: Controller): ControlGroup {
    const group = new ControlGroup(controller, pid)
    mkdirSync(group.#folder)
    try {
      writeFileSync(join(group.#folder, 'cgroup.procs'), `${pid}`)
      readFileSync(group.#file)
    } catch (error) {
      group.remove()
      throw error
    }
    return group
  }

  freeze(): void {
    writeFileSync(this.#file, this.#tree.version === 1 ? 'FROZEN' : '1')
  }

  thaw(): void {
    writeFileSync(this.#file, this.#tree.version === 1 ? 'THAWED' : '0')
  }

  /** By the word of the kernel, which takes a moment. */
  isFrozen(): boolean {
    if (this.#tree.version === 1) return readFileSync(this.#file, 'latin1').trim() === 'FROZEN'
    return readFileSync(join(this.#folder, 'cgroup.events'), 'latin1').includes('frozen 1')
  }

  /** Of one processor, 1 to 100. */
  limit(percent: number): void {
    const quota = (PERIOD_US * percent) / 100
    writeFileSync(this.#file, this.#tree.version === 1 ? `${quota}` : `${quota} ${PERIOD_US}`)
  }

  /** In how many periods the process wanted more than it got. */
  throttled(): number {
    const [, periods] = /nr_throttled (\d+)/.exec(readFileSync(join(this.#folder, 'cpu.stat'), 'latin1')) ?? []
    return Number(periods ?? 0)
  }

  remove(): void {
    if (existsSync(`/proc/${this.#pid}`)) writeFileSync(join(this.#before, 'cgroup.procs'), `${this.#pid}`)
    rmdirSync(this.#folder)
  }

  get #file(): string {
    return join(this.#folder, FILES[this.#tree.version][this.#controller])
  }
}

/** proc(5), /proc/PID/cgroup: `number:controllers:path`, and `0::path` in version 2. */
function groupOf(pid: number, controller: Controller, { version, root }: Tree): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'latin1').split('\n')
  const own = lines
    .map((line) => line.split(':'))
    .find(([, controllers]) => controllers === (version === 1 ? controller : ''))
  return join(root, own?.[2] ?? '')
}
