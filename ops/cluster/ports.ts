/** Ports for nodes that must come back on the port they had. */
import { createServer } from 'node:net'
import type { Entropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'

/**
 * Below the range that systems give to outgoing connections (Linux from 32768, others higher): a port from there could
 * be taken by any client while its node is down, even by the one that tries to reach it.
 */
const PORT_MIN = 10_000
const PORT_MAX = 32_767
const ATTEMPTS_MAX = 1_000

/** Different ports of 127.0.0.1 that nobody listens on now. */
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
