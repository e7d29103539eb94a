/** The common parts of an example's services: an HTTP server, a clock that can be moved, and a stop with the parent. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../../shared/clock.ts'

/** The system's clock, which SIGUSR2 moves half a minute ahead, so that a reader need not wait for a token to expire. */
export function movableClock(): Clock {
  let aheadMs = 0
  process.on('SIGUSR2', () => {
    aheadMs += 30_000
    printLine({ aheadMs })
  })
  return { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs }
}

/** Serves until standard input ends, which happens when the parent process ends. Prints the URL on standard output. */
export function serve(listenerFor: (url: string) => RequestListener): void {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', listenerFor(url))
    printLine({ url })
  })
  endWithParent()
}

/** Ends this process when the story ends, even if the story is killed. */
export function endWithParent(): void {
  process.stdin.on('end', () => process.exit()).resume()
}

/** Prints one JSON line for the parent process. */
export function printLine(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
