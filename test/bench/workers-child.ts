/** The workers of one region in a process: each with its cache and its feed, observed where a revocation is enforced in it. */
import { connect } from 'node:net'
import { once } from 'node:events'
import { createVerifier, type Verifier } from '../../replica/worker/sdk.ts'
import { WorkerCache } from '../../replica/worker/worker-cache.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { nowNs, serve } from './process.ts'
import { wrapMethod } from './wrap.ts'

export interface WorkersSetup {
  readonly cluster: string
  readonly replica: NodeAddress
  readonly seed: Uint8Array
  readonly count: number
}

/** Up to which revocation one cache had gone by when. */
export interface Enforced {
  readonly seqs: number[]
  readonly atNs: number[]
}

let verifiers: readonly Verifier[] = []
let enforced = new Map<WorkerCache, Enforced>()

wrapMethod(
  WorkerCache.prototype,
  'step',
  (step) =>
    function (this: WorkerCache, event) {
      const effects = step.call(this, event)
      if (event.kind === 'received' && event.message.t === 'revoked') keep(this, event.message.rows.at(-1)?.seq ?? 0)
      return effects
    },
)

function keep(cache: WorkerCache, seq: number): void {
  const kept = enforced.get(cache) ?? { seqs: [], atNs: [] }
  enforced.set(cache, kept)
  kept.seqs.push(seq)
  kept.atNs.push(nowNs())
}

function applied(verifier: Verifier): number {
  return verifier.statistics().applied?.seq ?? -1
}

const calls = {
  /** Resolves when each of them holds a lease. */
  start: async ({ cluster, replica, seed, count }: WorkersSetup): Promise<void> => {
    const one = (): Promise<Verifier> => createVerifier({ cluster, identity: seed, replicas: [replica] })
    verifiers = await Promise.all(Array.from({ length: count }, one))
    while (verifiers.some((verifier) => verifier.statistics().leaseRemainingMs === 0))
      await new Promise((resolve) => setTimeout(resolve, 10))
  },
  /** Resolves when all of them have gone by that revocation; what they saw since it was last asked. */
  enforced: async (seq: number): Promise<Enforced[]> => {
    while (verifiers.some((verifier) => applied(verifier) < seq)) await new Promise((resolve) => setTimeout(resolve, 5))
    const kept = [...enforced.values()]
    enforced = new Map()
    return kept
  },
  /** One byte there and back, so many times, one after the other. */
  roundTrips: async ({ port, count }: { port: number; count: number }): Promise<number[]> => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    const samples: number[] = []
    for (let index = 0; index < count; index += 1) {
      const startNs = nowNs()
      socket.write('x')
      await once(socket, 'data')
      samples.push(nowNs() - startNs)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    socket.destroy()
    return samples
  },
} as const

export type WorkersCalls = typeof calls

serve(calls, async () => {
  await Promise.all(verifiers.map((verifier) => verifier.close()))
})
