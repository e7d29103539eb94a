/**
 * A signer that means harm, with an org of its own and no other rights: its connections are full of calls of every kind that
 * costs something. Lines on standard input begin a burst and end it; then what it was answered goes to standard output, by code.
 */
import { createInterface } from 'node:readline'
import type { MintResult } from '../../../primary/signer/sdk.ts'
import { loadIdentity } from '../../../shared/channel/identity.ts'
import { parsePeerId } from '../../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../../shared/channel/persistent-client.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { ticketTextOf } from '../../shared/macaroon/ticket-of.ts'
import { LOGIN, withLogin } from '../partition/login.ts'

export interface HostileOptions {
  readonly cluster: string
  readonly address: string
  readonly peerId: string
  /** Path of its identity file. */
  readonly identity: string
  readonly org: string
  readonly connections: number
  /** Calls at once on each. */
  readonly inFlight: number
}

type Call = readonly [method: string, params: object]

const CALL_TIMEOUT_MS = 10_000
/** Verified again for each call that presents it. */
const CAVEATS = 90
const SUBJECTS = 50

const options = JSON.parse(process.argv[2] ?? '{}') as HostileOptions
const { cluster, address, org } = options
const identity = await loadIdentity(options.identity)
const peerId = parsePeerId(options.peerId)
const clients = Array.from(
  { length: options.connections },
  () => new PersistentClient({ address, peerId, identity, cluster, channel: 'sign' }),
)
const common = { reason: '', wait: 'local' } as const
const own = await firstToken()
const [kid = ''] = own.id.split('.')
const costly = withLogin(
  encodeTokenText(attenuate(decodeTokenText(own.token), Array(CAVEATS).fill('op in read,write'))),
)
const ticket = ticketTextOf(costly)

const KINDS: readonly ((n: number) => Call)[] = [
  (n) => ['issued.revoke', { org, subject: `nobody ${n % SUBJECTS}`, ...common }],
  () => ['tokens.count', { org, subject: 'nobody' }],
  () => ['token.revoke', { id: `${kid}.${madeUpNonce()}`, ...common }],
  () => ['revocations.find', { org }],
  () => ['revocations.list', { after: 0, limit: 100 }],
  () => ['token.mint', { org, subject: 'x'.repeat(200), caveats: ['op = read'], ttlSeconds: 60 }],
  () => ['token.exchange', { token: costly, strip: LOGIN, ticket, ttlSeconds: 60 }],
  () => ['revocations.coverage', { epoch: 1, seq: 1e9, waitMs: 2_000 }],
  () => ['org.list', {}],
]

let answered: Record<string, number> = {}
let bursting = false
let turn = 0

createInterface({ input: process.stdin })
  .on('line', (order) => (order === 'burst' ? void burst() : (bursting = false)))
  .on('close', () => process.exit())
process.stdout.write('ready\n')

async function burst(): Promise<void> {
  bursting = true
  answered = {}
  await Promise.all(clients.flatMap((client) => Array.from({ length: options.inFlight }, () => keepAsking(client))))
  process.stdout.write(`${JSON.stringify(answered)}\n`)
}

async function keepAsking(client: PersistentClient): Promise<void> {
  while (bursting) {
    turn += 1
    const kind = KINDS[turn % KINDS.length]
    const [method, params] = kind?.(turn) ?? ['', {}]
    const outcome = await client.call(method, params, { timeoutMs: CALL_TIMEOUT_MS }).then(
      () => 'done',
      (error: unknown) => (error instanceof MacaroondError ? error.code : String(error)),
    )
    answered[outcome] = (answered[outcome] ?? 0) + 1
    // Without a connection every call fails at once: other processes of this machine have work to do.
    if (outcome !== 'done') await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** However long the primary takes to let it in. */
async function firstToken(): Promise<MintResult> {
  for (;;) {
    const minting = clients[0]?.call('token.mint', { org, subject: 'x', caveats: [], ttlSeconds: 86_400 })
    const minted = await minting?.catch(() => undefined)
    if (minted !== undefined) return minted as MintResult
  }
}

/** A UUIDv7 of now. */
function madeUpNonce(): string {
  const random = Buffer.from(systemEntropy.bytes(9)).toString('hex')
  return `${systemClock.wallMs().toString(16).padStart(12, '0')}7${random.slice(0, 3)}8${random.slice(3)}`
}
