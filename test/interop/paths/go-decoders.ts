/** Go's net/url, in a small program that this machine's Go builds. */
import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Decoder } from './decoder.ts'

const SOURCE = new URL('decoders.go', import.meta.url).pathname

/** Rejects with what is missing and how to get it. */
export async function goDecoders(scratch: string): Promise<Decoder> {
  const program = join(scratch, 'decoders')
  const env = { ...process.env, GO111MODULE: 'off' }
  await promisify(execFile)('go', ['build', '-o', program, SOURCE], { env }).catch((cause: unknown) => {
    throw new Error('this suite needs Go: install it (Debian: golang-go)', { cause })
  })
  return (paths) => answersOf(program, paths)
}

function answersOf(program: string, paths: readonly string[]): Promise<readonly (readonly string[])[]> {
  const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    child.once('error', reject)
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('close', () => resolve(Buffer.concat(chunks).toString('latin1').trimEnd().split('\n').map(fieldsOf)))
    child.stdin.end(paths.map((path) => `${Buffer.from(path, 'latin1').toString('hex')}\n`).join(''))
  })
}

function fieldsOf(line: string): readonly string[] {
  return line
    .split(' ')
    .filter((field) => field !== '-')
    .map((field) => Buffer.from(field, 'hex').toString('latin1'))
}
