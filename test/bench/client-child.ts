/** A service with both SDKs: it mints and revokes at the primary, and verifies at a replica. */
import { createSigner, type Signer } from '../../primary/signer/sdk.ts'
import { createVerifier, type Verifier } from '../../replica/worker/sdk.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { GREEDY_ORG, ORG } from './load.ts'
import { nowNs, serve } from './process.ts'

export interface ClientSetup {
  readonly cluster: string
  readonly primary: NodeAddress
  readonly replica: NodeAddress
  readonly signerSeed: Uint8Array
  readonly workerSeed: Uint8Array
}

interface VerifyLoad {
  readonly milliseconds: number
  readonly inFlight: number
}

interface VerifyRate {
  readonly verdicts: number
  readonly perSecond: number
}

interface RevokeLoad {
  readonly tokens: number
  readonly seconds: number
}

interface RevokeSamples {
  readonly refusedNs: number[]
  readonly durableNs: number[]
}

const ACCESS = { org: ORG, op: 'read', path: '/projects/42/plan' }
const CAVEATS = [
  'op in read,write',
  'path prefix /projects/42',
  'time < 2100-01-01T00:00:00Z',
  'note = bench',
  'op = read',
]
const GIVE_UP_NS = 5e9

let signer: Signer | undefined
let verifier: Verifier | undefined

function clients(): { signer: Signer; verifier: Verifier } {
  if (signer === undefined || verifier === undefined) throw new Error('start it first')
  return { signer, verifier }
}

async function mint(): Promise<{ token: string; minPosition: string }> {
  const { token, position } = await clients().signer.mint({ org: ORG, subject: 'alice', caveats: CAVEATS })
  return { token, minPosition: position }
}

/** A token that the replica accepts. A replica may say that it is not there yet: the disk may stall for longer than it waits. */
async function mintVisible(): Promise<string> {
  const { token, minPosition } = await mint()
  const endNs = nowNs() + GIVE_UP_NS
  for (;;) {
    const verdict = await clients().verifier.verify(token, ACCESS, { minPosition })
    if (verdict.ok) return token
    if (verdict.reason !== 'unavailable' || nowNs() > endNs)
      throw new Error(`a good token was refused: ${verdict.message}`)
  }
}

/** Verifies without a pause until the token is refused; the time of that answer. */
async function untilRefused(token: string): Promise<number> {
  const startNs = nowNs()
  for (;;) {
    const verdict = await clients().verifier.verify(token, ACCESS)
    if (!verdict.ok && verdict.reason === 'revoked') return nowNs()
    if (!verdict.ok || nowNs() - startNs > GIVE_UP_NS) throw new Error('a revoked token was not refused as such')
  }
}

async function revokeOnce(): Promise<{ refusedNs: number; durableNs: number }> {
  const token = await mintVisible()
  const startNs = nowNs()
  const durable = clients()
    .signer.revoke({ token, wait: 'durable' })
    .then(() => nowNs())
  const refused = await untilRefused(token)
  return { refusedNs: refused - startNs, durableNs: (await durable) - startNs }
}

const calls = {
  start: async ({ cluster, primary, replica, signerSeed, workerSeed }: ClientSetup): Promise<string> => {
    signer = await createSigner({ cluster, identity: signerSeed, primary })
    verifier = await createVerifier({
      cluster,
      identity: workerSeed,
      replicas: [replica],
      timeoutMs: 10_000,
      cache: false,
    })
    await signer.createOrg(ORG)
    const { position } = await signer.createOrg(GREEDY_ORG)
    return position
  },
  /** Keeps so many calls in flight over one connection; verdicts a second. */
  verify: async ({ milliseconds, inFlight }: VerifyLoad): Promise<VerifyRate> => {
    const token = await mintVisible()
    const startNs = nowNs()
    const endNs = startNs + milliseconds * 1e6
    let verdicts = 0
    const caller = async (): Promise<void> => {
      while (nowNs() < endNs) {
        const verdict = await clients().verifier.verify(token, ACCESS)
        if (!verdict.ok) throw new Error(`a good token was refused: ${verdict.message}`)
        verdicts += 1
      }
    }
    await Promise.all(Array.from({ length: inFlight }, caller))
    return { verdicts, perSecond: (verdicts / (nowNs() - startNs)) * 1e9 }
  },
  /** So many tokens, or as many as the time is enough for. */
  revoke: async ({ tokens, seconds }: RevokeLoad): Promise<RevokeSamples> => {
    const samples: RevokeSamples = { refusedNs: [], durableNs: [] }
    const endNs = nowNs() + seconds * 1e9
    for (let index = 0; index < tokens && nowNs() < endNs; index += 1) {
      const { refusedNs, durableNs } = await revokeOnce()
      samples.refusedNs.push(refusedNs)
      samples.durableNs.push(durableNs)
    }
    return samples
  },
  /** One call after the other. */
  sample: async (milliseconds: number): Promise<Record<'mint' | 'revoke' | 'verify', number[]>> => {
    const samples = { mint: [] as number[], revoke: [] as number[], verify: [] as number[] }
    const known = await mintVisible()
    const endNs = nowNs() + milliseconds * 1e6
    const take = async (name: keyof typeof samples, call: () => Promise<unknown>): Promise<void> => {
      const startNs = nowNs()
      await call()
      samples[name].push(nowNs() - startNs)
    }
    while (nowNs() < endNs) {
      await take('verify', () => clients().verifier.verify(known, ACCESS))
      let token = ''
      await take('mint', async () => ({ token } = await mint()))
      await take('revoke', () => clients().signer.revoke({ token, wait: 'durable' }))
    }
    return samples
  },
  /** So many subjects are revoked at once; milliseconds until the last one was durable. */
  offBoard: async (subjects: number): Promise<number> => {
    const startNs = nowNs()
    const named = Array.from({ length: subjects }, (_, index) => `user ${index}`)
    await Promise.all(named.map((subject) => clients().signer.revokeIssued({ org: ORG, subject })))
    return (nowNs() - startNs) / 1e6
  },
  /** From the call until no node anywhere accepts the token, one after the other. */
  revokeGlobally: async (tokens: number): Promise<number[]> => {
    const samples: number[] = []
    for (let index = 0; index < tokens; index += 1) {
      const { token } = await mint()
      const startNs = nowNs()
      await clients().signer.revoke({ token, wait: 'global' })
      samples.push(nowNs() - startNs)
    }
    return samples
  },
} as const

export type ClientCalls = typeof calls

serve(calls, async () => {
  await Promise.all([signer?.close(), verifier?.close()])
})
