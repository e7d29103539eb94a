/** Starts one node again and again and kills it at one cell in each life. The disk is judged before the next life. */
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { anywhen, cellName, type Cell, type Histogram } from './cells.ts'
import type { Cluster, NodeFiles } from './cluster.ts'
import { copyNode } from './disk.ts'
import { disturb } from './disturb.ts'
import { POINTS, POINT_NAMES, type KillOrder, type DeathRecord, type Stage } from './kill-point/points.ts'
import type { Ending, NodeProcess } from './node-process.ts'
import type { Random } from './random.ts'
import { attachStrace, reachedSyscall, type SyscallTarget } from './strace.ts'

export interface KillLoopOptions {
  readonly cluster: Cluster
  readonly node: NodeFiles
  readonly random: Random
  readonly histogram: Histogram
  /** Judges a copy of the dead node's data. */
  readonly judge: (copy: string) => void
  /** The replica's folder was changed by the test: what it holds is no longer what it acknowledged. */
  readonly disturbed: (how: NonNullable<Cell['needs']>) => void
  /** Once the node serves again. */
  readonly restarted: () => Promise<void>
  /** Something else in the cluster failed: stop. */
  readonly failed: () => boolean
}

interface Life {
  readonly cell: Cell
  readonly kill: KillOrder
  readonly syscall: SyscallTarget | undefined
  readonly trace: string
}

const READY_TIMEOUT_MS = 30_000
const LIFE_MS = 5_000

export class KillLoop {
  readonly #options: KillLoopOptions
  readonly #earlier: string
  /** A life without a kill point. */
  #resting: Life | undefined
  #process!: NodeProcess

  constructor(options: KillLoopOptions) {
    this.#options = options
    this.#earlier = join(options.node.folder, 'earlier')
  }

  /** The present life, or the last one. */
  get process(): NodeProcess {
    return this.#process
  }

  /** Ends the resting life, then lives one for each cell. Resolves with the cells that were missed: their point never came. */
  async run(cells: readonly Cell[]): Promise<Cell[]> {
    const missed: Cell[] = []
    if (this.#resting !== undefined) await this.#finish(this.#resting)
    this.#resting = undefined
    for (const cell of cells) {
      if (this.#options.failed()) return missed
      if (!(await this.#live(cell))) missed.push(cell)
    }
    return missed
  }

  /** Starts a life without a kill point; the next `run` kills it at any time. */
  async rest(): Promise<void> {
    this.#resting = this.#plan(anywhen(this.#options.node.role))
    await this.#start(this.#resting)
  }

  async #live(cell: Cell): Promise<boolean> {
    if (cell.needs !== undefined) this.#disturb(cell.needs)
    const life = this.#plan(cell)
    await this.#start(life)
    return this.#finish(life)
  }

  /** True when it died in a stage. */
  async #finish(life: Life): Promise<boolean> {
    const { node, histogram } = this.#options
    const { ending, byItself } = await this.#awaitEnd(life)
    const stage = this.#stageOf(life, byItself)
    this.#judge(life.cell, ending)
    if (stage !== undefined) histogram.count(node.role, stage, cellName(life.cell))
    return stage !== undefined
  }

  #disturb(needs: NonNullable<Cell['needs']>): void {
    const { node, disturbed } = this.#options
    const how = needs === 'put back' && !existsSync(this.#earlier) ? 'wiped' : needs
    disturb(node, how, this.#earlier)
    disturbed(how)
  }

  #plan(cell: Cell): Life {
    const { node, random } = this.#options
    const file = (name: string): string => join(node.folder, name)
    rmSync(file('trace'), { force: true })
    const { point, moment, syscall } = cell
    const skip = point === undefined ? 0 : random.below(POINTS[point].within)
    const target = point === undefined ? {} : { target: { point, moment, skip, share: random.fraction() } }
    const word = moment === 'async' ? { word: file('word') } : {}
    return {
      cell,
      kill: { folder: node.data, record: file('record'), ...target, ...word },
      syscall:
        syscall === undefined
          ? undefined
          : { file: join(node.data, syscall.file), syscall: syscall.name, nth: 1 + random.below(syscall.within) },
      trace: file('trace'),
    }
  }

  async #start(life: Life): Promise<void> {
    const { cluster, node, restarted } = this.#options
    // With strace nothing else is wrapped: the calls are SQLite's and the node's own.
    const kill = life.syscall === undefined ? life.kill : undefined
    this.#process = cluster.start(node, { kill })
    if (await this.#process.ready(READY_TIMEOUT_MS)) {
      if (life.syscall !== undefined) attachStrace(this.#process.pid, life.syscall, life.trace)
      await Promise.race([restarted(), this.#process.ended])
    } else if (life === this.#resting) throw new Error(`${node.name} ended instead of serving:\n${this.#tail()}`)
  }

  async #awaitEnd({ cell }: Life): Promise<{ readonly ending: Ending; readonly byItself: boolean }> {
    const { random } = this.#options
    const patienceMs = cell.moment === 'async' ? 100 + random.below(700) : LIFE_MS
    const ending = await this.#process.endedWithin(patienceMs)
    return { ending: ending ?? (await this.#process.kill()), byItself: ending !== undefined }
  }

  /** Where it died, if it died where it should, or, killed at any time, in any stage at all. */
  #stageOf({ cell, kill, syscall, trace }: Life, byItself: boolean): Stage | undefined {
    if (syscall !== undefined) return byItself && reachedSyscall(syscall, trace) ? cell.stage : undefined
    if (kill.word !== undefined) {
      const point = POINT_NAMES[(readFileSync(kill.word)[0] ?? 0) - 1]
      return point === undefined ? undefined : POINTS[point].stage
    }
    const text = readFileSync(kill.record, 'utf8')
    return text === '' ? undefined : POINTS[(JSON.parse(text) as DeathRecord).point].stage
  }

  #judge(cell: Cell, { code, signal }: Ending): void {
    const { node, judge } = this.#options
    const where = `${node.name}, ${cellName(cell)}`
    if (signal !== 'SIGKILL') throw new Error(`${where}: it ended by itself with ${code ?? signal}:\n${this.#tail()}`)
    const copy = copyNode(node.data, join(node.folder, 'judged'))
    if (!existsSync(this.#earlier)) cpSync(copy, this.#earlier, { recursive: true })
    try {
      judge(copy)
    } catch (error) {
      throw new Error(
        `after a kill of ${where}: ${error instanceof Error ? error.message : String(error)}\n${this.#tail()}`,
        {
          cause: error,
        },
      )
    }
  }

  #tail(): string {
    return this.#process.log.slice(-15).join('\n')
  }
}
