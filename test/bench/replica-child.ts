/** A replica, whole and as it is run, in a process of its own; it is observed where a transaction becomes visible. */
import { replicaConfig } from '../../replica/config.ts'
import { Replica } from '../../replica/node.ts'
import { Tables } from '../../replica/tables/tables.ts'
import { identityFromSeed } from '../../shared/channel/identity.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { silentLog } from '../../shared/log.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { nowNs, serve } from './process.ts'
import { wrapMethod } from './wrap.ts'
import type { NodeSetup } from './primary-child.ts'

/** Which transaction could be read by when: its rows are in the database, and the tables are refreshed from them. */
interface Visible {
  readonly txids: number[]
  readonly atNs: number[]
}

interface Reached {
  readonly txid: number
  readonly atNs: number
  readonly revocations: number
}

/** Up to which revocation tokens were refused by when, as the stream brought it. */
interface Enforced {
  readonly seqs: number[]
  readonly atNs: number[]
}

let replica: Replica | undefined
let enforced: Enforced = { seqs: [], atNs: [] }
let visible: Visible = { txids: [], atNs: [] }
let keepVisible = false
let txid = 0
let atNs = 0
let revocations = 0
let wake: () => void = () => {}

wrapMethod(
  Tables.prototype,
  'refresh',
  (refresh) =>
    function (this: Tables) {
      refresh.call(this)
      seen(this)
    },
)

wrapMethod(
  Tables.prototype,
  'add',
  (add) =>
    function (this: Tables, rows, complete, timeline) {
      add.call(this, rows, complete, timeline)
      enforced.seqs.push(complete)
      enforced.atNs.push(nowNs())
    },
)

function seen(tables: Tables): void {
  txid = tables.meta?.txid ?? 0
  atNs = nowNs()
  revocations = tables.revocationsInPages
  if (keepVisible) {
    visible.txids.push(txid)
    visible.atNs.push(atNs)
  }
  wake()
}

const calls = {
  start: async ({ config, seed, kek }: NodeSetup): Promise<NodeAddress> => {
    const parsed = replicaConfig.parse(config)
    const identity = await identityFromSeed(seed)
    replica = await Replica.start({
      config: parsed,
      identity,
      kek: kekFromHex(kek),
      log: silentLog,
      reread: () => parsed,
    })
    return { address: replica.address, peerId: identity.peerId }
  },
  /** Resolves when that transaction is visible, with when the last one so far became so. */
  reached: async (wanted: number): Promise<Reached> => {
    while (txid < wanted) await new Promise<void>((resolve) => (wake = resolve))
    return { txid, atNs, revocations }
  },
  keepVisible: (keep: boolean): Visible => {
    const kept = visible
    keepVisible = keep
    visible = { txids: [], atNs: [] }
    return kept
  },
  /** Since it was last asked. */
  enforced: (): Enforced => {
    const kept = enforced
    enforced = { seqs: [], atNs: [] }
    return kept
  },
  cpu: (): NodeJS.CpuUsage => process.cpuUsage(),
} as const

export type ReplicaCalls = typeof calls

serve(calls, async () => replica?.stop())
