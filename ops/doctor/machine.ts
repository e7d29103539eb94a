/** Measures this machine for `doctor`: room on the disk, the limit of open files, and addresses that a node would listen on. */
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { parseAddress } from '../../shared/channel/address.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { RoomFacts } from './judge.ts'

/** Measures the volume that holds `data`, or will hold it. */
export function roomOf(data: string, reserveBytes: number): RoomFacts {
  const { bavail, bsize, ffree, files } = statfsSync(nearest(data))
  const database = statSync(join(data, 'macaroond.db'), { throwIfNoEntry: false })
  return {
    data,
    freeBytes: bavail * bsize,
    freeInodes: ffree,
    inodes: files,
    databaseBytes: database?.size ?? 0,
    reserveBytes,
  }
}

function nearest(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearest(dirname(path))
}

/** The hard limit of open files of this process; undefined where /proc does not say, or where there is none. */
export function descriptorLimit(): number | undefined {
  try {
    const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return hard === undefined ? undefined : Number(hard)
  } catch {
    return undefined
  }
}

/** Listens for an instant. Throws port_in_use, io_failed, request_invalid. */
export async function tryListening(address: string): Promise<void> {
  const { host, port } = parseAddress(address)
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, exclusive: true }, resolve)
    })
  } catch (cause) {
    throw bindFailed(address, cause as NodeJS.ErrnoException)
  }
  await new Promise((resolve) => server.close(resolve))
}

function bindFailed(address: string, cause: NodeJS.ErrnoException): MacaroondError {
  if (cause.code === 'EADDRINUSE') {
    const hint = 'another program listens there (`ss -ltnp`): stop it, or listen on another port'
    return new MacaroondError('port_in_use', `${address} is in use`, { hint, cause })
  }
  const hint = 'listen on an address of this machine (`ip addr`), or on 0.0.0.0; ports below 1024 need a privilege'
  return new MacaroondError('io_failed', `cannot listen on ${address}: ${cause.code ?? cause.message}`, { hint, cause })
}
