/**
 * A link that can be slow: a process on the dialer's host passes bytes on, and what comes back only after a while. The
 * kernels that run this have no delay of their own to offer (netem).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'

export interface LateLinkOptions {
  /** Words in front of the command. */
  readonly on: readonly string[]
  /** `host:port`. */
  readonly to: string
}

const CHILD = join(import.meta.dirname, 'late-link-child.ts')

export class LateLink {
  /** `host:port` for those of its host. */
  readonly address: string
  readonly #child: ChildProcess
  readonly #lines: Interface

  private constructor(address: string, child: ChildProcess, lines: Interface) {
    this.address = address
    this.#child = child
    this.#lines = lines
  }

  static async open({ on, to }: LateLinkOptions): Promise<LateLink> {
    const [command, ...words] = [...on, process.execPath] as const
    const child = spawn(command, [...words, CHILD, to], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const [address] = (await once(lines, 'line')) as [string]
    return new LateLink(address, child, lines)
  }

  /** From now on what comes back takes so much longer. */
  delay(ms: number): void {
    this.#child.stdin?.write(`${ms}\n`)
  }

  /** Delivers what is on its way at once; how many pieces were late since the link was slowed. */
  async heal(): Promise<number> {
    const answered = once(this.#lines, 'line') as Promise<[string]>
    this.delay(0)
    const [late] = await answered
    return Number(late)
  }

  async close(): Promise<void> {
    this.#child.stdin?.end()
    if (this.#child.exitCode === null) await once(this.#child, 'close')
  }
}
