/** What a service of an example has in common with the others: a port, a clock that can be moved, and an end with its parent. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../../shared/clock.ts'

/** SIGUSR2 moves it half a minute ahead: nobody who reads an example wants to wait for a token to expire. */
export function movableClock(): Clock {
  let aheadMs = 0
  process.on('SIGUSR2', () => {
    aheadMs += 30_000
    tell({ aheadMs })
  })
  return { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs }
}

/** Serves until standard input ends, which is when whoever started it does. The URL goes to standard output. */
export function serve(listenerFor: (url: string) => RequestListener): void {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', listenerFor(url))
    tell({ url })
  })
  endWithParent()
}

export function endWithParent(): void {
  process.stdin.on('end', () => process.exit()).resume()
}

/** A line for whoever started this service. */
export function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
