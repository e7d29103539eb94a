/**
 * A child process that copies lines to a descriptor of this process. If the reader hangs, only the child hangs, and it can be
 * killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { systemClock } from '../clock.ts'
import { OUTPUT_RETRY_MS_MAX } from '../limits.ts'
import { sleepSync } from './sleep.ts'

const POLL_MS = 5

export class Copier {
  readonly #fd: number
  #child: ChildProcess | undefined
  #startedMs = -Infinity

  constructor(fd: number) {
    this.#fd = fd
    this.#start()
  }

  take(bytes: Uint8Array): number {
    if (this.#child === undefined) this.#start()
    const stdin = this.#child?.stdin
    // While the stream still holds bytes that the kernel has not taken, nothing is added.
    if (stdin === undefined || stdin === null || stdin.writableLength > 0) return 0
    stdin.write(bytes)
    return bytes.byteLength
  }

  close(limitMs: number): void {
    const child = this.#child
    if (child?.pid === undefined) return
    // The child exits at the end of its input, after it has copied the rest.
    child.stdin?.destroy()
    for (let waitedMs = 0; waitedMs < limitMs && isRunning(child.pid); waitedMs += POLL_MS) sleepSync(POLL_MS)
    child.kill('SIGKILL')
  }

  /** Starts the child in its own session, so that Ctrl-C does not end it before it has copied the last line. */
  #start(): void {
    const nowMs = systemClock.monotonicMs()
    if (nowMs - this.#startedMs < OUTPUT_RETRY_MS_MAX) return
    this.#startedMs = nowMs
    const child = spawn('cat', [], { stdio: ['pipe', this.#fd, 'ignore'], detached: true })
    const gone = (): void => {
      if (this.#child === child) this.#child = undefined
    }
    child.once('error', gone).once('exit', gone)
    child.stdin?.on('error', () => undefined)
    child.unref()
    this.#child = child
  }
}

/** False if it has ended. An ended child is a zombie, because this process does not reap it while it waits. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
