/** Describes the machine of a measurement. Ratios and comparisons inside one run count; absolute figures belong to this machine. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { nowNs } from './process.ts'
import { percentile } from './statistics.ts'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly loadAverage: readonly number[]
  readonly node: string
  readonly platform: string
  /** Appending 4 KB to a file and syncing it: what a commit with full durability costs at least. */
  readonly syncMs: { readonly p50: number; readonly p99: number }
}

const SYNCS = 300
const BLOCK_BYTES = 4096

export function describeMachine(folder: string): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    syncMs: probeSync(join(folder, 'probe')),
  }
}

function probeSync(path: string): Machine['syncMs'] {
  const fd = openSync(path, 'w')
  const block = Buffer.alloc(BLOCK_BYTES, 1)
  const samples = Array.from({ length: SYNCS }, () => {
    const startNs = nowNs()
    writeSync(fd, block)
    fdatasyncSync(fd)
    return (nowNs() - startNs) / 1e6
  })
  closeSync(fd)
  return { p50: percentile(samples, 0.5), p99: percentile(samples, 0.99) }
}
