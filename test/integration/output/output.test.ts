/** Standard error of every kind that a node may be given: none of them stops the node, and flushing it at the end has a limit. */
import { type ChildProcess, execFileSync, spawn, type StdioOptions } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const PROGRAM = fileURLToPath(new URL('./logging-child.ts', import.meta.url))

interface Seen {
  readonly dropped: number
  readonly out: number
}

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-output-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

class Node {
  readonly #child: ChildProcess
  readonly #seen: string
  readonly ended: Promise<number | string | null>

  constructor(folder: string, stderr: number | 'pipe', { stdout = 'ignore', shell }: NodeOptions = {}) {
    this.#seen = join(folder, 'seen')
    const stdio: StdioOptions = ['pipe', stdout, stderr]
    const [program, ...args] = [...(shell ?? []), process.execPath, PROGRAM, this.#seen]
    this.#child = spawn(program, args, { stdio })
    this.#child.stdin?.on('error', () => undefined)
    this.ended = new Promise((resolve) => this.#child.once('exit', (status, signal) => resolve(status ?? signal)))
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  order(...orders: readonly string[]): void {
    for (const order of orders) this.#child.stdin?.write(`${order}\n`)
  }

  /** What it has said so far; the orders before it are carried out then. */
  async seen(count: number): Promise<Seen> {
    for (;;) {
      const lines = existsSync(this.#seen) ? readFileSync(this.#seen, 'utf8').trimEnd().split('\n') : []
      if (lines.length >= count) return JSON.parse(lines[count - 1] ?? '') as Seen
      await delay(20)
    }
  }
}

interface NodeOptions {
  readonly stdout?: number | 'ignore'
  /** What starts it. */
  readonly shell?: readonly string[]
}

/** A pipe with a name, held open at both ends by nobody else. */
function fifo(folder: string): string {
  const path = join(folder, 'fifo')
  execFileSync('mkfifo', [path])
  return path
}

function opened(path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  onTestFinished(() => closeSync(fd))
  return fd
}

/** All that is in a pipe now. */
function drained(fd: number): string {
  const chunks: string[] = []
  const buffer = Buffer.alloc(65_536)
  try {
    for (let bytes = 1; bytes > 0;) {
      bytes = readSync(fd, buffer)
      chunks.push(buffer.toString('utf8', 0, bytes))
    }
  } catch {
    // Nothing is left.
  }
  return chunks.join('')
}

function linesOf(text: string): readonly Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('a file gets every line, and one that is appended to keeps what is in it', async () => {
  const folder = scratch()
  const path = join(folder, 'log')
  for (const flags of ['w', 'a'] as const) {
    const fd = openSync(path, flags)
    const node = new Node(folder, fd, { stdout: fd })
    closeSync(fd)
    node.order('line', 'exit')
    expect(await node.ended).toBe(0)
  }
  expect(linesOf(readFileSync(path, 'utf8')).map(({ ready, msg }) => ready ?? msg)).toEqual([
    true,
    'one line',
    true,
    'one line',
  ])
})

test('a full device drops what has no room, counts it, and stops nothing', async () => {
  const folder = scratch()
  const full = opened('/dev/full', 'w')
  const node = new Node(folder, full, { stdout: full })
  node.order('flood', 'warn', 'tell')
  expect((await node.seen(3)).dropped).toBeGreaterThan(2_500)
  node.order('exit')
  expect(await node.ended).toBe(0)
})

test('a pipe that nobody reads stops nothing, and the log later counts the dropped lines', async () => {
  const folder = scratch()
  const path = fifo(folder)
  const reader = opened(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const node = new Node(folder, opened(path, 'w'))
  node.order('flood', 'tell')
  const { dropped } = await node.seen(3)
  expect(dropped).toBeGreaterThan(1_000)
  let text = ''
  while (!text.includes('room again')) {
    text += drained(reader)
    await delay(20)
  }
  const lines = linesOf(text)
  expect(lines.at(-1)).toMatchObject({ level: 40, msg: 'room again', dropped })
  expect(lines.length).toBe(4_000 - dropped + 1)
  node.order('exit')
  expect(await node.ended).toBe(0)
})

test.each(['exit', 'throw'])('behind a pipe that nobody reads it ends at once (%s)', async (order) => {
  const folder = scratch()
  const path = fifo(folder)
  opened(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const pipe = opened(path, 'w')
  const node = new Node(folder, pipe, { stdout: pipe })
  node.order('flood', 'tell', order)
  expect(await node.ended).toBe(order === 'exit' ? 0 : 1)
})

test('a FIFO without a reader is opened once there is one', async () => {
  const folder = scratch()
  const path = fifo(folder)
  const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, 'w')
  closeSync(first)
  const node = new Node(folder, writer)
  closeSync(writer)
  node.order('line', 'tell')
  await node.seen(2)
  const reader = opened(path, constants.O_RDONLY | constants.O_NONBLOCK)
  let text = ''
  while (!text.includes('one line')) {
    text += drained(reader)
    await delay(20)
  }
  node.order('exit')
  expect(await node.ended).toBe(0)
})

test('a node that runs as another user than the pipe’s owner writes to it too', async () => {
  if (process.getuid?.() !== 0) return
  const folder = scratch()
  execFileSync('chmod', ['0777', folder])
  const path = fifo(folder)
  const reader = opened(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const shell = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const node = new Node(folder, opened(path, 'w'), { shell })
  node.order('flood', 'tell')
  expect((await node.seen(3)).dropped).toBeGreaterThan(1_000)
  expect(drained(reader)).toContain('a line')
  node.order('exit')
  expect(await node.ended).toBe(0)
})

/** As journald has it: standard error is a socket. */
async function socketPair(folder: string): Promise<{ readonly path: string; readonly accepted: Promise<Socket> }> {
  const path = join(folder, 'journal')
  const accepted = Promise.withResolvers<Socket>()
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.resolve(socket))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  onTestFinished(() => void server.close())
  return { path, accepted: accepted.promise }
}

const WITH_SOCKET = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
os.dup2(s.fileno(), 1)
os.dup2(s.fileno(), 2)
os.execv(sys.argv[2], sys.argv[2:])
`

test('a socket that nobody reads stops nothing, and gets every line once somebody does', async () => {
  const folder = scratch()
  const { path, accepted } = await socketPair(folder)
  const node = new Node(folder, 'pipe', { shell: ['python3', '-c', WITH_SOCKET, path] })
  node.order('flood', 'tell')
  const { dropped } = await node.seen(3)
  expect(dropped).toBeGreaterThan(1_000)
  const socket = await accepted
  onTestFinished(() => void socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString())).resume()
  while (!text.includes('room again')) await delay(20)
  expect(linesOf(text).length).toBe(1 + 4_000 - dropped + 1)
  node.order('exit')
  expect(await node.ended).toBe(0)
})

test('behind a socket that nobody reads it ends at once', async () => {
  const folder = scratch()
  const { path, accepted } = await socketPair(folder)
  const node = new Node(folder, 'pipe', { shell: ['python3', '-c', WITH_SOCKET, path] })
  node.order('flood', 'exit')
  expect(await node.ended).toBe(0)
  ;(await accepted).destroy()
})

const WITH_TERMINAL = `
import os, pty, sys, time
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    os.dup2(slave, 2)
    os.execv(sys.argv[1], sys.argv[1:])
os.close(slave)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`

test('a terminal that nobody reads stops nothing', async () => {
  const folder = scratch()
  const node = new Node(folder, 'pipe', { shell: ['python3', '-c', WITH_TERMINAL] })
  node.order('flood', 'tell')
  expect((await node.seen(3)).dropped).toBeGreaterThan(1_000)
  node.order('exit')
  expect(await node.ended).toBe(0)
})

test('a full volume keeps lines back, and gets them whole when there is room again', async () => {
  if (process.getuid?.() !== 0) return
  const folder = scratch()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', folder])
  onTestFinished(() => void execFileSync('umount', ['-l', folder]))
  const ballast = join(folder, 'ballast')
  execFileSync('sh', ['-c', `head -c 200000 /dev/zero > ${ballast}`])
  const path = join(folder, 'log')
  const fd = openSync(path, 'a')
  const elsewhere = scratch()
  const node = new Node(elsewhere, fd)
  closeSync(fd)
  node.order('flood', 'tell')
  const { dropped } = await node.seen(3)
  expect(dropped).toBeGreaterThan(1_000)
  rmSync(ballast)
  while (!readFileSync(path, 'utf8').includes('a line')) await delay(20)
  node.order('exit')
  expect(await node.ended).toBe(0)
  expect(statSync(path).size).toBeGreaterThan(64_000)
  const whole = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  expect(whole.every((line) => (JSON.parse(line) as { msg: string }).msg !== '')).toBe(true)
})
