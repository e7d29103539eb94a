/** The worker's cache alone in a process: exact hits with all that freshness costs, and without any of it. */
import { randomBytes } from 'node:crypto'
import { VerifiedTokens } from '../../replica/worker/cache/verified-tokens.ts'
import { WorkerCache } from '../../replica/worker/worker-cache.ts'
import { systemClock } from '../../shared/clock.ts'
import { ClockReader } from '../../shared/freshness/clock-reader.ts'
import { kid as asKid } from '../../shared/ids.ts'
import { encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/attenuate.ts'
import { nextNonce } from '../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import { KeyTable } from '../../shared/verifier/key-table.ts'
import { NO_TABLES } from '../../shared/verifier/revocation-status.ts'
import { judge } from '../../shared/verifier/verifier.ts'
import { serve } from './process.ts'

const KID = asKid('00000000000000a1')
const TOKENS = 1_000
const ACCESS = { org: 'acme', op: 'read', path: '/projects/42/plan', ip: '10.1.2.3' }
const CAVEATS = [
  'op in read,write',
  'path prefix /projects/42',
  'region = fra',
  'ip in 10.0.0.0/8',
  'time < 2100-01-01T00:00:00Z',
]
const TIMELINE = 'a'.repeat(32)
const BOOT = '1'.repeat(32)
const AN_HOUR_MS = 3_600_000

const bounds = { entries: TOKENS, bytes: 1e8 }
const clock = new ClockReader(systemClock)
const tokens = mintAll()
const bare = new VerifiedTokens({ bounds, seed: randomBytes(8) })
const fresh = new WorkerCache({ bounds, seed: randomBytes(8), now: () => clock.read() })
fill()

function mintAll(): string[] {
  let nonces = { lastMs: 0, counter: 0 }
  return Array.from({ length: TOKENS }, () => {
    const { state, nonce } = nextNonce(nonces, Date.now(), randomBytes(8))
    nonces = state
    const identifier = encodeIdentifier({ kid: KID, nonce, expiresAt: 0, ancestors: [], subject: 'alice' })
    const root = createMacaroon({ derivedKey: new Uint8Array(32), location: 'bench', identifier })
    return encodeTokenText(attenuate(root, CAVEATS))
  })
}

/** As after a replica's answers, under a lease of an hour. */
function fill(): void {
  const keys = new KeyTable([
    [KID, { org: 'acme', derivedKey: new Uint8Array(32), state: 'active', orgState: 'active' }],
  ])
  const tables = { ...NO_TABLES, key: keys.get.bind(keys) }
  const place = { epoch: 1, timeline: TIMELINE, seq: 0 }
  const now = Date.now()
  const times = { ageMs: 0, earliestMs: now, latestMs: now }
  fresh.step({ kind: 'connected', peer: 'fra', boot: BOOT, region: 'fra' })
  fresh.step({ kind: 'received', message: { t: 'begin', ...place } })
  fresh.step({ kind: 'pinged' })
  const granted = { t: 'granted', id: 1, boot: BOOT, ...place, txid: 1, leaseMs: AN_HOUR_MS, ...times } as const
  fresh.step({ kind: 'received', message: granted })
  for (const token of tokens) {
    const verdict = judge({ token, access: ACCESS }, tables, { nowEarliestMs: now, nowLatestMs: now, region: 'fra' })
    if (!verdict.ok) throw new Error(`a good token was refused: ${verdict.message}`)
    bare.keep(token, verdict)
    const judged = { node: 'fra', region: 'fra', pid: 1, epoch: 1, txid: 1, revocationSeq: 0 }
    fresh.use(token, { ...verdict, ...judged }, fresh.ask())
  }
}

function withoutFreshness(token: string): boolean {
  const now = Date.now()
  return bare.judge(token, ACCESS, { nowEarliestMs: now, nowLatestMs: now, region: 'fra' })?.verdict.ok === true
}

function withFreshness(token: string): boolean {
  return fresh.judge(token, ACCESS, {})?.ok === true
}

/** Nanoseconds of this process's own time a verdict: whatever else the machine does meanwhile is not in it. */
function run(accepts: (token: string) => boolean, rounds: number): number {
  const before = process.cpuUsage()
  for (let round = 0; round < rounds; round += 1) {
    for (const token of tokens) if (!accepts(token)) throw new Error('a cached token was not accepted')
  }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / (rounds * tokens.length)
}

const calls = {
  /** One after the other, in alternating order. */
  round: ({ rounds, swap }: { rounds: number; swap: boolean }): { withNs: number; withoutNs: number } => {
    const first = run(swap ? withFreshness : withoutFreshness, rounds)
    const second = run(swap ? withoutFreshness : withFreshness, rounds)
    return swap ? { withNs: first, withoutNs: second } : { withNs: second, withoutNs: first }
  },
} as const

export type CachedCalls = typeof calls

serve(calls)
