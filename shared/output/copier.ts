/** A child process that copies what it is sent to a descriptor of this one. If it is stuck, only it is: it can be killed. */
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
    // What the kernel has not taken is kept by the stream: nothing is added to it.
    if (stdin === undefined || stdin === null || stdin.writableLength > 0) return 0
    stdin.write(bytes)
    return bytes.byteLength
  }

  close(limitMs: number): void {
    const child = this.#child
    if (child?.pid === undefined) return
    // The end of its input ends it, once it has copied the rest.
    child.stdin?.destroy()
    for (let waitedMs = 0; waitedMs < limitMs && isRunning(child.pid); waitedMs += POLL_MS) sleepSync(POLL_MS)
    child.kill('SIGKILL')
  }

  /** In a session of its own, so that Ctrl-C does not end it before the last line of this process. */
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

/** Its parent does not reap it meanwhile, so one that has ended is a zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
