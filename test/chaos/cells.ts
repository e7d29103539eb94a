/** The kill cells that a campaign draws from (node, stage, moment, call), and how often each was reached. */
import { POINTS, POINT_NAMES, type Moment, type PointName, type Role, type Stage } from './kill-point/points.ts'

export type Disturbance = 'wiped' | 'damaged' | 'put back'

export interface Cell {
  readonly role: Role
  readonly stage: Stage
  readonly moment: Moment
  /** A point of the preload, or `<syscall> <file>` for strace. Absent for kills at any time. */
  readonly point?: PointName
  readonly syscall?: { readonly file: string; readonly name: string; readonly within: number }
  /** What is done to the replica's folder before this life, because only then it comes to this point. */
  readonly needs?: Disturbance
}

const NEEDS: Partial<Record<PointName, Disturbance>> = {
  'snapshot write': 'wiped',
  'snapshot build': 'wiped',
  'snapshot rename': 'wiped',
  'snapshot append': 'put back',
  'copy moved aside': 'damaged',
}

/** SQLite's own calls: on the primary its commits and checkpoints, on a replica its checkpoints and what the applier writes. */
const SYSCALLS: readonly (readonly [Role, Stage, string, string, number])[] = [
  ['primary', 'commit', 'macaroond.db-wal', 'pwrite64', 120],
  ['primary', 'commit', 'macaroond.db-wal', 'fsync', 60],
  ['primary', 'checkpoint', 'macaroond.db', 'pwrite64', 60],
  ['primary', 'checkpoint', 'macaroond.db', 'fsync', 3],
  ['replica', 'apply', 'macaroond.db-wal', 'pwrite64', 60],
  ['replica', 'apply', 'macaroond.db-shm', 'pwrite64', 120],
  ['replica', 'checkpoint', 'macaroond.db', 'pwrite64', 60],
  ['replica', 'checkpoint', 'macaroond.db', 'fsync', 3],
  ['replica', 'checkpoint', 'macaroond.db-wal', 'ftruncate', 3],
]

export function cellsOf(role: Role, strace: boolean): Cell[] {
  const cells: Cell[] = []
  for (const point of POINT_NAMES) {
    const { stage, moments, role: of } = POINTS[point]
    const needs = NEEDS[point]
    for (const moment of of === role ? moments : []) {
      cells.push({ role, stage, moment, point, ...(needs === undefined ? {} : { needs }) })
    }
  }
  for (const [of, stage, file, name, within] of strace ? SYSCALLS : []) {
    if (of === role) cells.push({ role, stage, moment: 'syscall', syscall: { file, name, within } })
  }
  return [...cells, anywhen(role)]
}

/** The stage is where it turns out to have been. */
export function anywhen(role: Role): Cell {
  return { role, stage: role === 'primary' ? 'commit' : 'apply', moment: 'async' }
}

export function cellName({ point, syscall, moment }: Cell): string {
  if (syscall !== undefined) return `${syscall.name} ${syscall.file}`
  return point === undefined ? 'any time' : `${point}, ${moment}`
}

export class Histogram {
  readonly #counts = new Map<string, number>()

  count(role: Role, stage: Stage, what: string): void {
    const key = `${role}|${stage}|${what}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  total(role: Role, stage?: Stage): number {
    const prefix = stage === undefined ? `${role}|` : `${role}|${stage}|`
    let sum = 0
    for (const [key, count] of this.#counts) if (key.startsWith(prefix)) sum += count
    return sum
  }

  text(): string {
    const lines: string[] = []
    for (const role of ['primary', 'replica'] as const) {
      lines.push(`${role}: ${this.total(role)} kills counted`)
      for (const stage of stagesOf(role)) {
        const total = this.total(role, stage)
        lines.push(`  ${stage.padEnd(11)} ${String(total).padStart(4)} ${'#'.repeat(Math.min(total, 80))}`)
        const prefix = `${role}|${stage}|`
        const own = [...this.#counts].filter(([key]) => key.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1))
        for (const [key, count] of own) lines.push(`    ${key.slice(prefix.length).padEnd(38)} ${count}`)
      }
    }
    return lines.join('\n')
  }
}

export function stagesOf(role: Role): readonly Stage[] {
  return role === 'primary'
    ? ['commit', 'ship', 'checkpoint']
    : ['receive', 'apply', 'journal', 'snapshot', 'checkpoint']
}
