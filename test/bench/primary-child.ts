/**
 * A primary, whole and as it is run, in a process of its own. What the benchmark wants to know of it is observed from
 * outside: methods of its parts are wrapped here, so that the product has no switch for being measured.
 */
import { setTimeout } from 'node:timers/promises'
import { CommitLog } from '../../primary/commit-log/commit-log.ts'
import { GroupWriter } from '../../primary/commit-log/group-writer.ts'
import { primaryConfig } from '../../primary/config.ts'
import { Primary } from '../../primary/node.ts'
import { ManifestWriter } from '../../primary/archiver/chain/manifest-writer.ts'
import { identityFromSeed } from '../../shared/channel/identity.ts'
import { SocketStream } from '../../shared/channel/socket-stream.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { silentLog } from '../../shared/log.ts'
import type { Position } from '../../shared/position.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { fill, pace, type FillParams, type PaceParams } from './load.ts'
import { nowNs, serve } from './process.ts'
import { wrapMethod } from './wrap.ts'

export interface NodeSetup {
  readonly config: unknown
  readonly seed: Uint8Array
  readonly kek: string
}

export interface Filled {
  readonly startNs: number
  readonly endNs: number
  readonly transactions: number
  readonly lastTxid: number
  readonly segmentBytes: number
}

/** When COMMIT had returned for a transaction; the segment is made, logged and sent after that. */
interface Commits {
  readonly txids: number[]
  readonly atNs: number[]
}

const ARCHIVE_POLL_MS = 5

let writer: GroupWriter | undefined
let primary: Primary | undefined
let commits: Commits = { txids: [], atNs: [] }
/** When an entry of the manifest was durable, and up to where the archive went then. */
let archived: Commits = { txids: [], atNs: [] }
let keepCommits = false
let transactions = 0
let lastTxid = 0
let segmentBytes = 0
let wireBytes = 0

observe()

function observe(): void {
  wrapMethod(
    GroupWriter.prototype,
    'submit',
    (submit) =>
      function (this: GroupWriter, command) {
        keepWriter(this)
        return submit.call(this, command) as never
      },
  )
  wrapMethod(
    CommitLog.prototype,
    'captureCommit',
    (captureCommit) =>
      function (this: CommitLog, stampMs) {
        const atNs = nowNs()
        return counted(this, captureCommit.call(this, stampMs), atNs)
      },
  )
  wrapMethod(
    ManifestWriter.prototype,
    'append',
    (append) =>
      async function (this: ManifestWriter, change) {
        const state = await append.call(this, change)
        archived.txids.push(change.head?.txid ?? 0)
        archived.atNs.push(nowNs())
        return state
      },
  )
  wrapMethod(
    SocketStream.prototype,
    'sendData',
    (sendData) =>
      function (this: SocketStream, data) {
        wireBytes += data.byteLength
        return sendData.call(this, data)
      },
  )
}

function keepWriter(used: GroupWriter): void {
  writer = used
}

function counted(log: CommitLog, position: Position, atNs: number): Position {
  transactions += 1
  lastTxid = position.txid
  segmentBytes += log.segment(position.txid)?.length ?? 0
  if (keepCommits) {
    commits.txids.push(position.txid)
    commits.atNs.push(atNs)
  }
  return position
}

/** The writer shows itself with the first command that comes over the `sign` channel. */
function requireWriter(): GroupWriter {
  if (writer === undefined) throw new Error('nothing was written yet')
  return writer
}

const calls = {
  start: async ({ config, seed, kek }: NodeSetup): Promise<NodeAddress> => {
    const parsed = primaryConfig.parse(config)
    const identity = await identityFromSeed(seed)
    primary = await Primary.start({
      config: parsed,
      identity,
      kek: kekFromHex(kek),
      log: silentLog,
      reread: () => parsed,
    })
    return { address: primary.address, peerId: identity.peerId }
  },
  fill: async (params: FillParams): Promise<Filled> => {
    const before = { transactions, segmentBytes }
    const { startNs, endNs } = await fill(requireWriter(), params)
    return {
      startNs,
      endNs,
      transactions: transactions - before.transactions,
      lastTxid,
      segmentBytes: segmentBytes - before.segmentBytes,
    }
  },
  pace: async (params: PaceParams): Promise<Commits> => {
    commits = { txids: [], atNs: [] }
    archived = { txids: [], atNs: [] }
    keepCommits = true
    await pace(requireWriter(), params)
    keepCommits = false
    return commits
  },
  /** When the archive got how far since the last paced load; resolves once it has everything up to `txid`. */
  archived: async (txid: number): Promise<Commits> => {
    while (!archived.txids.some((upTo) => upTo >= txid)) await setTimeout(ARCHIVE_POLL_MS)
    return archived
  },
  /** What went to the sockets so far: segments, revocation stream, signed positions, with Noise around them. */
  wireBytes: (): number => wireBytes,
  cpu: (): NodeJS.CpuUsage => process.cpuUsage(),
} as const

export type PrimaryCalls = typeof calls

serve(calls, async () => primary?.stop())
