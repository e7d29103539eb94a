/** Chooses ports for nodes that must be able to restart on the same port. */
import { createServer } from 'node:net'
import type { Entropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'

/**
 * Below the range for outgoing connections (Linux: from 32768; others higher). While a node is down, any client could take a
 * port of that range, even the client that tries to reach the node.
 */
const PORT_MIN = 10_000
const PORT_MAX = 32_767
const ATTEMPTS_MAX = 1_000

/** Distinct ports of 127.0.0.1 on which nothing listens now. Throws port_in_use. */
export async function freePorts(count: number, entropy: Entropy): Promise<readonly number[]> {
  const ports = new Set<number>()
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === ATTEMPTS_MAX) throw new MacaroondError('port_in_use', 'found no free ports on 127.0.0.1')
    const port = PORT_MIN + Math.floor(entropy.uniform() * (PORT_MAX - PORT_MIN + 1))
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
