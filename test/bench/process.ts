/** Processes of the benchmark: each serves named calls of its parent, one at a time, between the measurements. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Request {
  readonly id: number
  readonly method: string
  readonly params: unknown
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** What a child can be asked, as its parent sees it. */
export type Calls = Readonly<Record<string, (params: never) => unknown>>

type Params<C extends Calls, M extends keyof C> = Parameters<C[M]>[0]
type Result<C extends Calls, M extends keyof C> = Awaited<ReturnType<C[M]>>

export class Child<C extends Calls> {
  readonly #process: ChildProcess
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  /**
   * `script` is a file of this folder, or of `build` once that is published. Structured clones go both ways, so that typed
   * arrays stay what they are.
   */
  constructor(script: string, nodeOptions: readonly string[] = [], build?: string) {
    const file = build === undefined ? join(import.meta.dirname, script) : join(build, script.replace(/\.ts$/, '.js'))
    this.#process = fork(file, {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [...nodeOptions],
    })
    this.#process.on('message', (message) => this.#answered(message as Answer))
    this.#process.on('exit', () => this.#fail(new Error(`${script} ended`)))
  }

  call<M extends keyof C & string>(method: M, params: Params<C, M>): Promise<Result<C, M>> {
    const id = (this.#lastId += 1)
    const pending = Promise.withResolvers<unknown>()
    this.#pending.set(id, pending)
    this.#process.send({ id, method, params } satisfies Request)
    return pending.promise as Promise<Result<C, M>>
  }

  /** Resident set, in bytes, as the kernel counts it. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    if (kilobytes === undefined) throw new Error('the kernel does not say how much memory the process has')
    return Number(kilobytes) * 1024
  }

  /** The child ends in order when its parent lets go of it. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.disconnect()
    await exited
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #answered({ id, result, error }: Answer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error === undefined) pending?.resolve(result)
    else pending?.reject(new Error(error))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}

/** In the child: answers until the parent lets go, then runs `stop` and ends. */
export function serve(calls: Calls, stop: () => Promise<void> = async () => {}): void {
  process.on('message', (message) => void answer(calls, message as Request))
  process.on('disconnect', () => void stop().then(() => process.exit(0)))
}

async function answer(calls: Calls, { id, method, params }: Request): Promise<void> {
  const reply = (message: Answer): void => void process.send?.(message)
  try {
    reply({ id, result: await calls[method]?.(params as never) })
  } catch (error) {
    reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
}

/** Monotonic nanoseconds; on Linux the same clock in every process (CLOCK_MONOTONIC). Exact up to 104 days of uptime. */
export function nowNs(): number {
  return Number(process.hrtime.bigint())
}
