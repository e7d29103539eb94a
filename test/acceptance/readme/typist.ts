/**
 * Types the commands of a page, as its reader would. `macaroond` runs in this process, which saves its start; every other
 * command, and every pipe, runs in a shell that finds `macaroond` on its PATH.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { run } from '../../../ops/command-line.ts'
import { PROGRAM } from '../../integration/cli/command.ts'
import { typedCommands } from './blocks.ts'
import { masked } from './masked.ts'

interface Answer {
  readonly status: number
  /** Standard output and standard error in the order in which they were written. */
  readonly text: string
}

const WORD = /"([^"]*)"|'([^']*)'|(\S+)/g
/** A command of ours that needs no shell: words and files for input and output. */
const SIMPLE = /^macaroond ([^<>|&;$`]*?)(?: < (\S+))?(?: > (\S+))?$/

export class Typist {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv

  /** All commands run in `folder`, which must be the working directory of this process. */
  constructor(folder: string, profile: string) {
    this.#folder = folder
    this.#env = { ...process.env, MACAROOND_PROFILE: profile, PATH: withMacaroond(folder) }
  }

  /** Runs a block `console`, and compares what it prints with what the page shows. */
  async types(code: string): Promise<void> {
    for (const { line, status, output } of typedCommands(code)) {
      const answer = await this.answerTo(line.replace(/\s+#.*$/, ''))
      expect(answer.status, `${line}\n${answer.text}`).toBe(status)
      if (output !== '') expectOutput(answer.text, output, line)
    }
  }

  async answerTo(line: string): Promise<Answer> {
    const [, name, value] = /^export (\w+)=(\S+)$/.exec(line) ?? []
    if (name !== undefined) {
      this.#env[name] = value
      return { status: 0, text: '' }
    }
    const [, words, input, output] = SIMPLE.exec(line) ?? []
    return words === undefined ? this.shell(line) : this.#ours(wordsOf(words), input, output)
  }

  /** Runs a script in bash. */
  shell(script: string): Promise<Answer> {
    return new Promise((resolve) => {
      const child = spawn('bash', ['-c', script], {
        cwd: this.#folder,
        env: this.#env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let text = ''
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)))
      child.once('close', (status) => resolve({ status: status ?? -1, text }))
    })
  }

  async #ours(args: readonly string[], input: string | undefined, output: string | undefined): Promise<Answer> {
    let [text, toFile] = ['', '']
    const screen = collector((chunk) => (text += chunk))
    const stdout = output === undefined ? screen : collector((chunk) => (toFile += chunk))
    const stdin = Readable.from([input === undefined ? '' : readFileSync(join(this.#folder, input))])
    const status = await run(args, { stdin, stdout, stderr: screen, env: this.#env })
    await setImmediate()
    if (output !== undefined) writeFileSync(join(this.#folder, output), toFile)
    return { status, text }
  }
}

/** A line `…` on the page stands for any number of lines. */
export function expectOutput(actual: string, shown: string, line: string): void {
  const wanted = masked(shown).split(/^…$/m)
  const [first = '', last = ''] = [wanted[0], wanted.at(-1)]
  const printed = masked(actual)
  if (wanted.length === 1) return expect(printed, line).toBe(first)
  expect(printed.slice(0, first.length), line).toBe(first)
  expect(printed.slice(printed.length - last.length), line).toBe(last)
}

function wordsOf(text: string): readonly string[] {
  return [...text.matchAll(WORD)].map(([, double, single, bare]) => double ?? single ?? bare ?? '')
}

function collector(take: (chunk: string) => void): PassThrough {
  const stream = new PassThrough()
  stream.on('data', (chunk: Buffer) => take(chunk.toString()))
  return stream
}

/** Other machines are folders below `machines`, by the name of the host. */
const SCP = 'to="machines/${3%%:*}$(dirname "${3#*:}")"; mkdir -p "$to" && cp -rp "$2" "$to/$(basename "${3#*:}")"'

/** Makes `macaroond` and `scp` in a folder of their own, and returns a PATH that begins with it. */
export function withMacaroond(folder: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const programs = { macaroond: `exec "${process.execPath}" "${PROGRAM}" "$@"`, scp: SCP }
  for (const [name, line] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return [bin, process.env['PATH']].join(delimiter)
}
