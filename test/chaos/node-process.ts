/** One process of a node, from its start to its end, with its log. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import type { KillOrder, Role } from './kill-point/points.ts'

export interface NodeStart {
  readonly role: Role
  readonly config: string
  /** The command line of an installed version, in place of this checkout's node. */
  readonly program?: string
  readonly kill?: KillOrder | undefined
  /** Words in front of the command, such as those that run it on another host. */
  readonly on?: readonly string[]
  /** Modules loaded before the node's. */
  readonly imports?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The user and the group that it runs as; only root may choose. */
  readonly as?: { readonly uid: number; readonly gid: number }
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const CHILD = join(import.meta.dirname, 'node-child.ts')
const PRELOAD = join(import.meta.dirname, 'kill-point', 'preload.ts')
/** Lives are short and many: loading is most of what they do. */
const COMPILED = join(tmpdir(), 'macaroond-chaos-compiled')
const LOG_LINES = 60

export class NodeProcess {
  readonly log: string[] = []
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #ready: Promise<boolean>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = once(child, 'close').then(([code, signal]): Ending => ({ code, signal }))
    const ready = Promise.withResolvers<boolean>()
    this.#ready = ready.promise
    void this.ended.then(() => ready.resolve(false))
    if (child.stdout === null || child.stderr === null) throw new Error('no pipes')
    createInterface({ input: child.stdout }).on('line', () => ready.resolve(true))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(line)
      if (this.log.length > LOG_LINES) this.log.shift()
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  static start({ role, config, program, kill, on = [], imports = [], env: more = {}, as }: NodeStart): NodeProcess {
    const preloads = kill === undefined ? imports : [PRELOAD, ...imports]
    const node = program === undefined ? [CHILD, role, config] : [program, role, '--config', config]
    const args = [...preloads.flatMap((path) => ['--import', path]), ...node]
    const [command, ...words] = [...on, process.execPath] as const
    const env = {
      ...process.env,
      CHAOS_ROLE: role,
      CHAOS_KILL_AT: JSON.stringify(kill ?? {}),
      NODE_COMPILE_CACHE: COMPILED,
      ...more,
    }
    return new NodeProcess(spawn(command, [...words, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env, ...as }))
  }

  /** True once it serves, false when it ended before. Rejects when it does neither in time. */
  ready(timeoutMs: number): Promise<boolean> {
    return Promise.race([
      this.#ready,
      setTimeout(timeoutMs, undefined, { ref: false }).then(() => {
        throw new Error(`not ready within ${timeoutMs} ms:\n${this.log.join('\n')}`)
      }),
    ])
  }

  /** How it ended, or undefined when it did not within that time. */
  endedWithin(timeoutMs: number): Promise<Ending | undefined> {
    return Promise.race([this.ended, setTimeout(timeoutMs, undefined, { ref: false })])
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  async kill(): Promise<Ending> {
    this.signal('SIGKILL')
    return this.ended
  }
}
