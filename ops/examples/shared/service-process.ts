/** A service of an example as a child process, and the JSON lines that it prints. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Story } from './story.ts'

/** The input of a service. */
export interface ServiceStart {
  readonly settings?: object
  readonly env?: Readonly<Record<string, string>>
}

/** A running service. The story ends it. */
export class ServiceProcess {
  /** All lines that the service has printed, parsed. */
  readonly lines: Record<string, unknown>[] = []
  readonly #child: ChildProcess
  /** Wakes a caller that waits for a line. */
  #onLine: () => void = () => undefined

  private constructor(child: ChildProcess) {
    this.#child = child
    if (child.stdout === null) throw new Error('a service has standard output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Record<string, unknown>)
      this.#onLine()
    })
  }

  /** `program` is a file beside the story. Settings become its one argument, so secrets go into `env`. */
  static async start(
    story: Story,
    program: URL,
    { settings = {}, env = {} }: ServiceStart = {},
  ): Promise<ServiceProcess> {
    const args = [fileURLToPath(program), JSON.stringify(settings)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } })
    const service = new ServiceProcess(child)
    story.atTheEnd(() => service.#end())
    await service.#untilLine((line) => 'url' in line || 'address' in line)
    return service
  }

  /** The URL at which it serves. */
  get url(): string {
    return String(this.lines[0]?.['url'])
  }

  /** Moves the clock of the service half a minute ahead. */
  async passHalfAMinute(): Promise<void> {
    const count = this.lines.length
    this.#child.kill('SIGUSR2')
    // The line confirms that the signal was handled; a call right after the signal could meet the old time.
    await this.#untilLine((line) => this.lines.indexOf(line) >= count && 'aheadMs' in line)
  }

  /** Waits for a line. Throws if the service ends first. */
  async #untilLine(wanted: (line: Record<string, unknown>) => boolean): Promise<void> {
    while (!this.lines.some(wanted)) {
      if (this.#child.exitCode !== null) throw new Error(`the service ended with ${this.#child.exitCode}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onLine = resolve
      await Promise.race([promise, once(this.#child, 'exit')])
    }
  }

  /** Closing stdin asks the service to end; see `endWithParent`. */
  async #end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.stdin?.end()
    await once(this.#child, 'exit')
  }
}
