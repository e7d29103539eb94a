/** libmacaroons and pymacaroons, each in a Python process of its own, with a limit of time on every answer. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'
import type { Implementation } from './implementation.ts'

const SCRIPT = fileURLToPath(new URL('peer.py', import.meta.url))
/** Debian's Python first: its packages are not on the path of another one. */
const PYTHONS = ['/usr/bin/python3', 'python3']
/** Far above what any answer takes on a loaded machine; libmacaroons never ends on some malformed V1. */
const ANSWER_TIMEOUT_MS = 20_000

const PACKAGES = { libmacaroons: 'libmacaroons-dev', pymacaroons: 'python3-pymacaroons' } as const
export type PythonPeer = keyof typeof PACKAGES

const FORMATS: Readonly<Record<PythonPeer, readonly MacaroonFormat[]>> = {
  libmacaroons: ['v1'],
  pymacaroons: ['v1', 'v2', 'v2j'],
}

/** Fails with what is missing and how to get it. */
export async function pythonImplementation(name: PythonPeer): Promise<Implementation> {
  const peer = new PeerProcess(pythonWith(name), name)
  const call = async <T>(method: string, request: object): Promise<T> => (await peer.call(method, request)) as T
  return {
    name,
    formats: FORMATS[name],
    create: (request) => call('create', request),
    attenuate: (request) => call('attenuate', request),
    thirdParty: (request) => call('third_party', request),
    bind: (request) => call('bind', request),
    verify: (request) => call('verify', request),
    close: () => peer.close(),
  }
}

function pythonWith(name: PythonPeer): string {
  const tried = PYTHONS.map((python) => ({
    python,
    ...spawnSync(python, [SCRIPT, name], { input: '', timeout: 20_000 }),
  }))
  const found = tried.find(({ status }) => status === 0)
  if (found !== undefined) return found.python
  const why = tried.map(({ python, stderr, error }) => `${python}: ${error?.message ?? lastLine(stderr.toString())}`)
  throw new Error(`${name} is missing: apt-get install ${PACKAGES[name]} (Debian). Tried ${why.join('; ')}`)
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}

interface Answer {
  readonly value?: unknown
  readonly error?: string
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

class PeerProcess {
  readonly #name: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting: Waiting[] = []
  #ended = false
  #stderr = ''

  constructor(python: string, name: string) {
    this.#name = name
    this.#child = spawn(python, [SCRIPT, name])
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.#child.stdin.on('error', () => undefined)
    this.#child.once('exit', (status, signal) => this.#end(`ended with ${signal ?? status}: ${this.#stderr}`))
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer | { readonly ready: true }
      if (!('ready' in answer)) this.#waiting.shift()?.resolve(answer)
    })
  }

  /** Answers come in the order of the requests. */
  async call(method: string, request: object): Promise<unknown> {
    if (this.#ended) throw new Error(`${this.#name} has ended: ${this.#stderr}`)
    const answered = new Promise<Answer>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#child.stdin.write(`${JSON.stringify({ method, ...request }, bytesAsHex)}\n`)
    const timer = setTimeout(() => this.#end(`gave no answer to ${method} in time`), ANSWER_TIMEOUT_MS)
    try {
      const { value, error } = await answered
      if (error !== undefined) throw new Error(`${this.#name} ${method}: ${error}`)
      return value
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#end('was closed')
  }

  #end(why: string): void {
    this.#ended = true
    this.#child.kill('SIGKILL')
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${this.#name} ${why}`))
  }
}

/** Typed arrays come here as they are; Buffers would have turned themselves into objects before. */
function bytesAsHex(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}
