/** A cluster of `macaroond dev` in a folder of its own, for the tests of one file, and the command line on it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { commandLine, type Dev, macaroond, type Ran, startDev } from './command.ts'

export class DevFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'macaroond-cli-'))
  readonly profile: string = join(this.path, 'operator.toml')
  #dev: Dev | undefined

  /** Starts before the first test of the file, ends after the last. */
  static forThisFile(): DevFolder {
    const folder = new DevFolder()
    beforeAll(() => folder.start())
    afterAll(() => folder.#remove())
    return folder
  }

  get dev(): Dev {
    if (this.#dev === undefined) throw new Error('dev did not start')
    return this.#dev
  }

  async start(): Promise<void> {
    this.#dev = await startDev(this.path)
  }

  file(name: string): string {
    return join(this.path, name)
  }

  operator(args: readonly string[], stdin = ''): Promise<Ran> {
    return commandLine(args, { profile: this.profile, stdin })
  }

  /** As a process of its own, from its arguments to its exit status. */
  asProcess(args: readonly string[], stdin = ''): Promise<Ran> {
    return macaroond(args, { profile: this.profile, stdin })
  }

  /** A file of the folder, changed, under another name beside it: relative paths in it go on to hold. */
  variant(name: string, from: string, change: (text: string) => string): string {
    const text = readFileSync(this.file(from), 'utf8')
    const changed = change(text)
    expect(changed, `the change of ${from} changes something`).not.toBe(text)
    writeFileSync(this.file(name), changed)
    return this.file(name)
  }

  async #remove(): Promise<void> {
    this.#dev?.process.kill('SIGTERM')
    await this.#dev?.ended
    rmSync(this.path, { recursive: true, force: true })
  }
}
