/** Starts and controls the process of one service that verifies tokens, and records the events that it reports. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { NodeAddress } from '../../../replica/worker/sdk.ts'
import type { VerifyEvent } from '../../history/event.ts'

export interface ShownToken {
  /** Undefined for one that nobody minted. */
  readonly id?: string
  readonly text: string
  readonly org: string
}

export type Order =
  | { readonly t: 'show'; readonly tokens: readonly ShownToken[] }
  | { readonly t: 'drop'; readonly texts: readonly string[] }
  | { readonly t: 'stop' }

export interface ServiceOptions {
  readonly name: string
  readonly region: string
  readonly host: string
  /** Keeps verified tokens, as services do by themselves; otherwise every request goes to the replica. */
  readonly cache: boolean
  readonly cluster: string
  readonly replicas: readonly NodeAddress[]
  /** Path of its identity file. */
  readonly identity: string
  readonly concurrency: number
  readonly pauseMs: number
  readonly timeoutMs: number
}

export interface ServiceStart {
  /** Words in front of the command. */
  readonly on: readonly string[]
  readonly imports?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const CHILD = join(import.meta.dirname, 'service-child.ts')

export class ServiceProcess {
  readonly options: ServiceOptions
  readonly #start: ServiceStart
  readonly #record: (event: VerifyEvent) => void
  readonly #shown = new Map<string, ShownToken>()
  #child: ChildProcess | undefined
  /** The last lines of what went wrong in it. */
  readonly complaints: string[] = []

  constructor(options: ServiceOptions, start: ServiceStart, record: (event: VerifyEvent) => void) {
    this.options = options
    this.#start = start
    this.#record = record
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Resolves when the service sends requests. */
  async start(): Promise<void> {
    const { on, imports = [], env = {} } = this.#start
    const preloads = imports.flatMap((path) => ['--import', path])
    const [command, ...words] = [...on, process.execPath]
    const args = [...words, ...preloads, CHILD, JSON.stringify(this.options)]
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#child = child
    child.stdin.on('error', () => undefined)
    createInterface({ input: child.stderr }).on('line', (line) => this.complaints.push(line))
    const ready = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line, ready.resolve))
    void once(child, 'exit').then(() =>
      ready.reject(new Error(`${this.options.name} ended: ${this.complaints.at(-1)}`)),
    )
    await ready.promise
    this.#send({ t: 'show', tokens: [...this.#shown.values()] })
  }

  show(tokens: readonly ShownToken[]): void {
    for (const token of tokens) this.#shown.set(token.text, token)
    this.#send({ t: 'show', tokens })
  }

  drop(texts: readonly string[]): void {
    for (const text of texts) this.#shown.delete(text)
    this.#send({ t: 'drop', texts })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Lets calls in flight end and be written down. */
  async stop(): Promise<void> {
    this.#send({ t: 'stop' })
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await once(child, 'close')
    clearTimeout(late)
    this.#child = undefined
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'close')
  }

  #send(order: Order): void {
    this.#child?.stdin?.write(`${JSON.stringify(order)}\n`)
  }

  #take(line: string, ready: () => void): void {
    const message = JSON.parse(line) as VerifyEvent | { readonly ready: true }
    if ('ready' in message) ready()
    else this.#record(message)
  }
}
