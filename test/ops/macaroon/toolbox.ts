/** Runs the toolbox as its user does, and writes key files for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { run } from '../../../ops/command-line.ts'
import { capture } from '../streams.ts'

export interface Answer {
  readonly status: number
  readonly out: string
  readonly err: string
}

export async function toolbox(args: readonly string[], stdin = ''): Promise<Answer> {
  const streams = capture({ stdin })
  const status = await run(['macaroon', ...args], streams)
  await setImmediate()
  return { status, out: streams.out(), err: streams.err() }
}

/** Its output where it succeeds, without the newline; throws what it said where it does not. */
export async function piped(args: readonly string[], stdin = ''): Promise<string> {
  const { status, out, err } = await toolbox(args, stdin)
  if (status !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`)
  return out.trimEnd()
}

export class KeyFolder implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'macaroond-keys-'))

  file(name: string, content: Uint8Array | string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content)
    return path
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true })
  }
}
