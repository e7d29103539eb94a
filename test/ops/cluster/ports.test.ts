import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { describe, expect, it } from 'vitest'
import { freePorts } from '../../../ops/cluster/ports.ts'
import { systemEntropy, type Entropy } from '../../../shared/clock.ts'

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

/** Draws the given numbers first. */
function drawing(...draws: readonly number[]): Entropy {
  const left = [...draws]
  return { ...systemEntropy, uniform: () => left.shift() ?? systemEntropy.uniform() }
}

describe('free ports', () => {
  it('are different, and can be listened on', async () => {
    const ports = await freePorts(5, systemEntropy)
    expect(new Set(ports).size).toBe(5)
    for (const port of ports) (await listening(port)).close()
  })

  it('lie below the range that outgoing connections are given', async () => {
    const [low = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split('\t').map(Number)
    const extremes = await freePorts(1, drawing(1 - Number.EPSILON))
    expect(Math.max(...extremes)).toBeLessThan(low)
  })

  it('are never one that somebody listens on', async () => {
    const [taken = 0] = await freePorts(1, drawing(0.5))
    const server = await listening(taken)
    try {
      expect(await freePorts(1, drawing(0.5))).not.toContain(taken)
    } finally {
      server.close()
    }
  })

  it('are drawn again when the same one comes up', async () => {
    expect(new Set(await freePorts(2, drawing(0.25, 0.25))).size).toBe(2)
  })
})
