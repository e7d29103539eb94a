/** A child process that runs one of the `*-child.ts` scripts of this folder and speaks JSON lines: what a test does to it is real. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export class Child {
  readonly process: ChildProcess
  /** Every line it printed, parsed, as far as it was read. */
  readonly lines: unknown[] = []
  readonly #exited: Promise<unknown>
  #wake: () => void = () => {}

  private constructor(process: ChildProcess) {
    this.process = process
    this.#exited = once(process, 'close')
    if (process.stdout === null) throw new Error('no stdout')
    createInterface({ input: process.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line))
      this.#wake()
    })
    void this.#exited.then(() => this.#wake())
  }

  static start(script: string, ...args: string[]): Child {
    return new Child(
      spawn(process.execPath, [join(import.meta.dirname, script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    )
  }

  send(message: unknown): void {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** Waits until `count` lines came; fails when the child ends before. */
  async seen(count: number): Promise<void> {
    while (this.lines.length < count) {
      if (this.process.exitCode !== null || this.process.signalCode !== null) throw new Error('the child ended')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Ends it without a chance to clean up, and returns when all it printed was read. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#exited
  }

  /** Closes its input, which ends it in order. */
  async end(): Promise<void> {
    this.process.stdin?.end()
    await this.#exited
  }
}
