/** Programs of others that a suite needs: built once by the machine's Go, at a pinned version, and kept between runs. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Kept between runs, outside of the repository. */
export const CACHE: string = join(homedir(), '.cache', 'macaroond-interop')

export interface GoTool {
  readonly name: string
  /** Import path. */
  readonly path: string
  readonly version: string
}

export const LITESTREAM: GoTool = {
  name: 'litestream',
  path: 'github.com/benbjohnson/litestream/cmd/litestream',
  version: 'v0.5.16',
}

/** Path of the program. Rejects with what is missing and how to get it. */
export async function goTool({ name, path, version }: GoTool): Promise<string> {
  const folder = join(CACHE, version)
  const program = join(folder, name)
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  const env = { ...process.env, GOBIN: folder }
  await promisify(execFile)('go', ['install', `${path}@${version}`], { env }).catch((cause: unknown) => {
    const command = `GOBIN=${folder} go install ${path}@${version}`
    throw new Error(`this suite needs ${name}: install Go (Debian: golang-go, 1.24 or later) and run ${command}`, {
      cause,
    })
  })
  return program
}
