/** The C library, in a small program that is compiled for this run: nothing of JavaScript stands between it and the clock. */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Library } from './library.ts'
import { ADDED, CAVEAT_SECRET, IDENTIFIER, LOCATION, predicates, SECRET, THIRD_PARTY, TICKET } from './specimen.ts'
import { CAVEAT_COUNTS } from './tasks.ts'

const SOURCE = join(import.meta.dirname, 'libmacaroons.c')

export interface Missing {
  /** What to get, and how. */
  readonly missing: string
}

/** Fails where the program cannot be compiled for another reason than what is missing here. */
export async function startLibmacaroons(folder: string): Promise<Library | Missing> {
  const program = join(folder, 'libmacaroons')
  try {
    await promisify(execFile)('cc', ['-std=c11', '-O2', '-Wall', '-o', program, SOURCE, '-lmacaroons'])
  } catch (error) {
    const missing = missingFor(error as CompilerError)
    if (missing === undefined) throw error
    return { missing }
  }
  return libraryOf(new LineProcess(program, programArguments()))
}

export interface CompilerError {
  readonly code?: string | number | null
  readonly stderr?: string
}

/** Undefined when compiler and library are there. */
export function missingFor({ code, stderr = '' }: CompilerError): string | undefined {
  if (code === 'ENOENT') return 'there is no C compiler (cc): apt-get install gcc libc6-dev libmacaroons-dev (Debian)'
  // The header, or the library at the end of the link: as gcc and clang, ld and lld put it.
  const library = /macaroons\.h\b.*(No such file|not found)|(cannot find|unable to find library) -lmacaroons/i
  return library.test(stderr) ? 'libmacaroons is not installed: apt-get install libmacaroons-dev (Debian)' : undefined
}

function programArguments(): readonly string[] {
  const most = Math.max(...CAVEAT_COUNTS)
  return [SECRET, LOCATION, IDENTIFIER, CAVEAT_SECRET, THIRD_PARTY, TICKET, ADDED, ...predicates(most)]
}

function libraryOf(peer: LineProcess): Library {
  return {
    name: 'libmacaroons',
    forms: ['v1'],
    create: (caveats) => peer.ask(`create ${caveats}`),
    discharge: ({ caveats, demanding }) => peer.ask(`discharge ${caveats} ${demanding}`),
    accepts: async ({ caveats, root, discharges }) =>
      (await peer.ask(['accepts', caveats, root, ...discharges].join(' '))) === 'yes',
    hold: async ({ caveats, root, demanding, discharge }) => {
      await peer.ask(`hold ${caveats} ${root.v1} ${demanding} ${discharge}`)
    },
    run: async ({ operation, caveats, milliseconds }) =>
      Number(await peer.ask(`run ${operation} ${caveats} ${milliseconds}`)),
    end: () => peer.end(),
  }
}

/** A line for every line, one at a time. */
class LineProcess {
  readonly #process: ChildProcessWithoutNullStreams
  #waiting: PromiseWithResolvers<string> | undefined

  constructor(program: string, args: readonly string[]) {
    this.#process = spawn(program, args)
    this.#process.stderr.pipe(process.stderr)
    createInterface(this.#process.stdout).on('line', (line) => this.#waiting?.resolve(line))
    const failed = (): void => this.#waiting?.reject(new Error('the program with libmacaroons ended'))
    this.#process.on('exit', failed).on('error', failed)
    this.#process.stdin.on('error', failed)
  }

  ask(line: string): Promise<string> {
    this.#waiting = Promise.withResolvers<string>()
    this.#process.stdin.write(`${line}\n`)
    return this.#waiting.promise
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.stdin.end()
    await exited
  }
}
