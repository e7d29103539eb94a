/** The log of a node as a FIFO that nobody reads: full, or with room for a while. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** For a log that never has room: every write is refused as on a full disk. */
export const FULL_DISK = '/dev/full'

/** Words that run a command with its standard error in that file. */
export function loggingTo(path: string): readonly string[] {
  return ['sh', '-c', 'exec "$@" 2>>"$0"', path]
}

const FILLING = 'x'
const TAIL_CHARS = 6_000

export class FullLog {
  readonly path: string
  /** The last that the node got out of what was read. */
  tail = ''
  readonly #fd: number

  constructor(folder: string, name: string) {
    this.path = join(folder, `${name}.log`)
    execFileSync('mkfifo', [this.path])
    this.#fd = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK)
  }

  fill(): void {
    while (this.#tries(() => writeSync(this.#fd, `${FILLING}\n`.repeat(2_048))));
    while (this.#tries(() => writeSync(this.#fd, '\n')));
  }

  drain(): void {
    const bytes = Buffer.alloc(65_536)
    let length = 0
    while (this.#tries(() => (length = readSync(this.#fd, bytes)))) {
      const lines = bytes.toString('utf8', 0, length).split('\n')
      const logged = lines.filter((line) => line !== FILLING && line !== '')
      this.tail = [this.tail, ...logged].join('\n').slice(-TAIL_CHARS)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #tries(io: () => number): boolean {
    try {
      return io() > 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false
      throw error
    }
  }
}
