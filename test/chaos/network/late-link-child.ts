/** `late-link-child.ts HOST:PORT`: prints where it listens; takes delays as lines, and answers a 0 with what was late. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

interface Waiting {
  readonly dueMs: number
  readonly deliver: () => void
}

const [host = '', port = ''] = (process.argv[2] ?? '').split(':')
let delayMs = 0
let late = 0
const waiting: Waiting[] = []

const server = createServer(join).listen(0, '127.0.0.1', () => {
  process.stdout.write(`127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
createInterface({ input: process.stdin })
  .on('line', take)
  .on('close', () => process.exit())

function take(line: string): void {
  delayMs = Number(line)
  if (delayMs > 0) return
  for (const { deliver } of waiting.splice(0)) deliver()
  process.stdout.write(`${late}\n`)
  late = 0
}

function join(dialer: Socket): void {
  const target = connect({ host, port: Number(port), noDelay: true })
  dialer.setNoDelay(true)
  dialer.on('data', (chunk) => target.write(chunk)).on('error', () => target.destroy())
  dialer.on('close', () => target.destroy())
  target.on('data', (chunk) => inTime(() => dialer.write(chunk))).on('error', () => undefined)
  // Its end is as late as its bytes are.
  target.on('close', () => inTime(() => dialer.destroy()))
}

/** In order: nothing overtakes what was slower. */
function inTime(deliver: () => void): void {
  if (delayMs === 0) return deliver()
  late += 1
  waiting.push({ dueMs: performance.now() + delayMs, deliver })
  setTimeout(deliverDue, delayMs)
}

function deliverDue(): void {
  while ((waiting[0]?.dueMs ?? Infinity) <= performance.now()) waiting.shift()?.deliver()
}
