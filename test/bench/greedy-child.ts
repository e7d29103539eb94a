/** A caller that keeps the maximum number of calls of one kind in flight, over several connections, until it is stopped. */
import { identityFromSeed } from '../../shared/channel/identity.ts'
import type { ChannelName } from '../../shared/channel/channel-name.ts'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { NodeAddress } from '../../shared/config/client-options.ts'
import { REQUESTS_IN_FLIGHT_MAX, SIGN_CALLS_IN_FLIGHT_MAX } from '../../shared/limits.ts'
import { GREEDY_ORG, ORG } from './load.ts'
import { serve } from './process.ts'

export interface GreedySetup {
  readonly cluster: string
  readonly seed: Uint8Array
  readonly primary: NodeAddress
  readonly replica: NodeAddress
}

interface Greed {
  readonly channel: Extract<ChannelName, 'sign' | 'verify'>
  readonly inFlight: number
  readonly call: (n: number) => readonly [method: string, params: object]
}

export type GreedyFor = 'counts tokens' | 'lists revocations' | 'revokes subjects' | 'mints' | 'verifies'

const CONNECTIONS = 8
const common = { reason: '', wait: 'local' } as const

const GREEDS: Readonly<Record<GreedyFor, Greed>> = {
  'counts tokens': {
    channel: 'sign',
    inFlight: SIGN_CALLS_IN_FLIGHT_MAX.scanning,
    call: () => ['tokens.count', { org: GREEDY_ORG, subject: 'nobody' }],
  },
  'lists revocations': {
    channel: 'sign',
    inFlight: SIGN_CALLS_IN_FLIGHT_MAX.scanning,
    call: () => ['revocations.find', { org: GREEDY_ORG }],
  },
  'revokes subjects': {
    channel: 'sign',
    inFlight: SIGN_CALLS_IN_FLIGHT_MAX.revoking,
    call: (n) => ['issued.revoke', { org: GREEDY_ORG, subject: `nobody ${n % 50}`, ...common }],
  },
  mints: {
    channel: 'sign',
    inFlight: SIGN_CALLS_IN_FLIGHT_MAX.writing,
    call: () => ['token.mint', { org: GREEDY_ORG, subject: 'x', caveats: [], ttlSeconds: 60 }],
  },
  verifies: {
    channel: 'verify',
    inFlight: CONNECTIONS * REQUESTS_IN_FLIGHT_MAX,
    call: () => ['verify', { token: 'mcr1_none', access: { org: ORG, op: 'read' } }],
  },
}

export const GREEDY_FOR = Object.keys(GREEDS) as readonly GreedyFor[]

let setup: GreedySetup | undefined
let clients: readonly PersistentClient[] = []
let wanting = false
let asking: Promise<unknown> = Promise.resolve()
let answers = 0

async function keepAsking(client: PersistentClient, call: Greed['call']): Promise<void> {
  while (wanting) {
    const [method, params] = call((answers += 1))
    await client.call(method, params, { timeoutMs: 10_000 }).catch(() => undefined)
  }
}

const calls = {
  start: (given: GreedySetup): void => void (setup = given),
  begin: async (what: GreedyFor): Promise<void> => {
    if (setup === undefined) throw new Error('start it first')
    const { channel, inFlight, call } = GREEDS[what]
    const { address, peerId } = channel === 'sign' ? setup.primary : setup.replica
    const identity = await identityFromSeed(setup.seed)
    const options = { address, peerId: parsePeerId(peerId), identity, cluster: setup.cluster, channel }
    clients = Array.from({ length: CONNECTIONS }, () => new PersistentClient(options))
    wanting = true
    answers = 0
    const each = inFlight / CONNECTIONS
    asking = Promise.all(clients.flatMap((client) => Array.from({ length: each }, () => keepAsking(client, call))))
  },
  /** How many answers it had. */
  end: async (): Promise<number> => {
    wanting = false
    await asking
    await Promise.all(clients.map((client) => client.close()))
    return answers
  },
} as const

export type GreedyCalls = typeof calls

serve(calls, () => Promise.resolve())
