/** The load of the cluster: users mint, attenuate, exchange and revoke tokens, and the services of every region verify them. */
import { Primary } from '../../../primary/node.ts'
import { MIN_POSITION_WAIT_MS } from '../../../shared/limits.ts'
import type { MintResult } from '../../../shared/protocol/sign.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { RevokeEvent, VerifyEvent } from '../../history/event.ts'
import type { Random } from '../../chaos/random.ts'
import { ORG, REGIONS, servicesOf, type Region } from '../nodes/members.ts'
import type { Life } from '../nodes/machine.ts'
import { VERIFY_TIMEOUT_MS, type TestCluster } from '../nodes/test-cluster.ts'
import { randomFor } from '../time/entropy.ts'
import { elsewhere, forged, LOGIN, narrowed, withLogin, type ShownToken } from './tokens.ts'
import { loginOf } from '../../shared/macaroon/ticket-of.ts'

/** Longer than any clock is moved: a token of a primary whose clock is slow ends early, as it should. */
const TTL_SECONDS = 30 * 86_400
const DAY_SECONDS = 86_400
const MINT_EVERY_MS = 260
const REVOKE_EVERY_MS = 340
const VERIFY_EVERY_MS = 45
/** While an operator is at work there is more to see. */
const BUSY = 0.6
/** A replica lets whoever wants a position wait for a while before it gives up. */
const POSITION_TIMEOUT_MS = 2 * MIN_POSITION_WAIT_MS
/** Everybody has seen a token before it is revoked. */
const SHOWN_BEFORE_MS = 150
const WAITS = ['local', 'durable', 'global'] as const

/** A revocation that is refused for one of these was not carried out. */
const OWN_REASONS: ReadonlySet<string> = new Set(['clock_implausible', 'disk_full'])
const SUPERSEDED = 'position_superseded'
const EXPECTED: ReadonlySet<string> = new Set(['token_refused', SUPERSEDED])

interface Revocable {
  readonly id: string
  readonly subject: string | undefined
}

export class Load {
  readonly #cluster: TestCluster
  readonly #random: Random
  readonly #untilMs: number
  /** Tokens never expire, or within a day. */
  readonly #mixesLives: boolean
  readonly #shown: ShownToken[] = []
  /** Valid to the end: a cluster that refuses everything would keep every other promise. */
  #lasting: ShownToken | undefined
  /** Not revoked by anybody yet. */
  readonly #alive: ShownToken[] = []
  readonly #ended: string[] = []
  #turn = 0
  #newest: string | undefined

  /** `untilMs`: nothing is minted or revoked after it, unless an operator is at work then. */
  constructor(cluster: TestCluster, untilMs: number, { mixesLives = false }: { readonly mixesLives?: boolean } = {}) {
    this.#cluster = cluster
    this.#mixesLives = mixesLives
    this.#untilMs = untilMs
    this.#random = randomFor(cluster.seed, 'load')
  }

  start(): void {
    const { operator, services } = this.#cluster
    this.#every(operator, MINT_EVERY_MS, () => this.#mint())
    this.#every(operator, REVOKE_EVERY_MS, () => this.#revoke())
    for (const region of REGIONS) {
      const asking = services.get(region)
      if (asking !== undefined) this.#every(asking.life, VERIFY_EVERY_MS, () => this.#verifySome(region))
    }
  }

  /** Whether each region accepts a token that nobody has revoked; lets the time pass that asking takes. */
  async accepted(): Promise<boolean> {
    const cluster = this.#cluster
    const { scheduler, services } = cluster
    const token = this.#lasting
    if (token === undefined) return true
    const results: string[] = []
    for (const [region, { life }] of services) {
      scheduler.at(scheduler.nowMs, life, () => void this.#verify(region, token).then((result) => results.push(result)))
    }
    await cluster.runUntil(scheduler.nowMs + 2 * VERIFY_TIMEOUT_MS, () => results.length === services.size)
    return results.length === services.size && results.every((result) => result === 'allow')
  }

  /** Every token in every region, once. */
  readAll(): void {
    for (const region of REGIONS) {
      const life = this.#cluster.services.get(region)?.life
      const { nowMs } = this.#cluster.scheduler
      for (const [index, token] of this.#shown.entries()) {
        if (life !== undefined) this.#cluster.scheduler.at(nowMs + index, life, () => void this.#verify(region, token))
      }
    }
  }

  #every(life: Life, everyMs: number, work: () => Promise<void>): void {
    const { scheduler } = this.#cluster
    const again = (): void => {
      const busy = this.#cluster.operations.size > 0 ? BUSY : 1
      const inMs = everyMs * busy * (0.5 + this.#random.fraction())
      // While an operator is at work the cluster is used on.
      if (scheduler.nowMs + inMs > this.#untilMs && this.#cluster.operations.size === 0) return
      scheduler.at(scheduler.nowMs + inMs, life, () => {
        again()
        work().catch((error: unknown) => this.#outage(error))
      })
    }
    again()
  }

  /** A primary that is away mints and exchanges nothing, no token is exchanged that was revoked meanwhile, and a restore ends what is asked of the epoch before; no more may happen. */
  #outage(error: unknown): void {
    const isExpected = error instanceof MacaroondError && (error.kind === 'unavailable' || EXPECTED.has(error.code))
    if (!isExpected) this.#cluster.problem(`a call failed: ${error instanceof Error ? error.message : String(error)}`)
  }

  async #mint(): Promise<void> {
    const { signer, operator, mintsNothing } = this.#cluster
    if (mintsNothing) return
    this.#turn += 1
    const turn = this.#turn
    const ttlSeconds = this.#mixesLives ? (turn % 2) * DAY_SECONDS : TTL_SECONDS
    // Some are revoked by their subject, which nobody else has.
    const own = turn % 4 === 2 ? { subject: `leaver ${turn}` } : {}
    const minted = await this.#called('mint', [], () =>
      signer.mint({ org: ORG, subject: 'somebody', ttlSeconds, ...own }),
    )
    const { token, id, position } = minted
    const sinceMs = this.#cluster.scheduler.nowMs
    const named = { id, sinceMs, org: ORG, ...own }
    const lasts = this.#lasting === undefined && (!this.#mixesLives || ttlSeconds === 0)
    if (lasts) this.#showWorthless(token, sinceMs)
    else this.#alive.push({ ...named, text: token })
    if (lasts) this.#lasting = { ...named, text: token }
    this.#shown.push({ ...named, text: token, position }, { ...named, text: narrowed(token) })
    if (turn % 3 !== 0) return
    const bundle = withLogin(token, operator.host.entropy)
    const request = { token: bundle, strip: LOGIN, ...loginOf(bundle) }
    const made = await this.#called('exchange', [id], () => signer.exchange(request))
    this.#shown.push({ id: made.id, text: made.token, sinceMs: this.#cluster.scheduler.nowMs, org: ORG })
  }

  /** Nobody minted these for what they are shown for. */
  #showWorthless(token: string, sinceMs: number): void {
    const org = ORG
    this.#shown.push(
      { text: forged(token), sinceMs, org },
      { text: elsewhere(token), sinceMs, org },
      { text: token, sinceMs, org: 'another' },
    )
  }

  async #called<T extends Pick<MintResult, 'id' | 'position' | 'org' | 'subject' | 'issuedAtMs'>>(
    what: string,
    ancestors: readonly string[],
    call: () => Promise<T>,
  ): Promise<T> {
    const { scheduler, events, trace } = this.#cluster
    const inv = scheduler.nowMs
    const result = await call()
    const { id, position, org, subject, issuedAtMs: issuedMs } = result
    const [kid = ''] = id.split('.')
    trace.say('operator', `${what} ${position.split('.', 2).join('.')}`)
    this.#cluster.archive?.checker.acknowledged(position, { sinceMs: inv, archived: false })
    events.push({ t: 'mint', inv, ret: scheduler.nowMs, id, ancestors, org, subject, kid, issuedMs })
    this.#newest = position
    return result
  }

  async #revoke(): Promise<void> {
    const { scheduler, events, trace } = this.#cluster
    const due = this.#alive.filter(({ sinceMs }) => scheduler.nowMs - sinceMs > SHOWN_BEFORE_MS)
    const token = this.#random.pick(due)
    if (token?.id === undefined) return
    this.#alive.splice(this.#alive.indexOf(token), 1)
    this.#ended.push(token.id)
    const wait = this.#random.pick(WAITS) ?? 'durable'
    const event = await this.#revoked({ id: token.id, subject: token.subject }, wait)
    trace.say('operator', `revoke ${event.wait}: ${event.result} ${event.seq ?? ''}`)
    events.push(event)
  }

  async #revoked({ id, subject }: Revocable, wait: RevokeEvent['wait']): Promise<RevokeEvent> {
    const { scheduler, signer } = this.#cluster
    const inv = scheduler.nowMs
    // Its only token was minted before: where the cut-off lies is of no matter to it.
    const named: RevokeEvent['named'] =
      subject === undefined ? { kind: 'token', id } : { kind: 'subject', org: ORG, subject, untilMs: Infinity }
    const asked = { t: 'revoke', inv, named, wait } as const
    try {
      const revoking =
        subject === undefined ? signer.revoke({ id, wait }) : signer.revokeIssued({ org: ORG, subject, wait })
      const { seq, position } = await revoking
      this.#newest = position
      const { archive } = this.#cluster
      archive?.checker.acknowledged(position, { sinceMs: inv, archived: archive.plan.durable && wait === 'durable' })
      return { ...asked, ret: scheduler.nowMs, result: 'ok', epoch: Number(position.split('.')[0]), seq }
    } catch (error) {
      if (error instanceof MacaroondError && OWN_REASONS.has(error.code))
        return { ...asked, ret: scheduler.nowMs, result: 'refused', ...this.#granting(error.code) }
      // Superseded: it was carried out in an epoch that a restore has ended since.
      const isOpen = error instanceof MacaroondError && (error.kind === 'unavailable' || error.code === SUPERSEDED)
      if (!isOpen) throw error
      return { ...asked, ret: scheduler.nowMs, result: 'indeterminate' }
    }
  }

  /** Whether the primary grants leases while what it refused a revocation for still lasts. */
  #granting(code: string): Pick<RevokeEvent, 'granted'> {
    const slot = this.#cluster.slot('primary')
    const { node } = slot
    if (!(node instanceof Primary)) return {}
    const { freshness } = node.status
    const lasts = code === 'disk_full' ? slot.isDiskFull : freshness.clockDoubt !== null
    return lasts && freshness.leaseMs > 0 ? { granted: true } : {}
  }

  async #verifySome(region: Region): Promise<void> {
    const token = this.#pickShown()
    if (token !== undefined) await this.#verify(region, token, this.#pickPosition(token))
  }

  /** What was revoked a moment ago is what promises are about. */
  #pickShown(): ShownToken | undefined {
    if (this.#random.fraction() < 0.5) return this.#random.pick(this.#shown)
    const recent = new Set(this.#ended.slice(-3))
    return this.#random.pick(this.#shown.filter(({ id }) => id !== undefined && recent.has(id)))
  }

  #pickPosition({ position }: ShownToken): string | undefined {
    const chance = this.#random.fraction()
    if (chance < 0.1) return this.#newest
    return chance < 0.15 ? position : undefined
  }

  async #verify(region: Region, { id, text, org }: ShownToken, minPosition?: string): Promise<VerifyEvent['result']> {
    const { scheduler, events, trace, services } = this.#cluster
    const asking = services.get(region)
    if (asking === undefined) return 'unavailable'
    const inv = scheduler.nowMs
    const options = minPosition === undefined ? {} : { minPosition, timeoutMs: POSITION_TIMEOUT_MS }
    const verdict = await asking.verifier.verify(text, { org, op: 'read' }, options)
    const result = verdict.ok ? 'allow' : verdict.reason === 'unavailable' ? 'unavailable' : 'deny'
    const who = servicesOf(region)
    const event: VerifyEvent = {
      ...({
        t: 'verify',
        inv,
        ret: scheduler.nowMs,
        proc: who,
        region,
        host: who,
        node: who,
        boot: '1',
        result,
      } as const),
      ...(id === undefined ? {} : { id }),
      ...(verdict.ok ? {} : { reason: verdict.reason }),
      ...(verdict.epoch === undefined ? {} : { epoch: verdict.epoch }),
      ...(verdict.revocationSeq === undefined ? {} : { seq: verdict.revocationSeq }),
      ...(verdict.txid === undefined ? {} : { txid: verdict.txid }),
      ...(minPosition === undefined ? {} : { minTxid: Number(minPosition.split('.')[1]) }),
    }
    trace.say(who, `verify ${result} ${event.reason ?? ''} ${event.txid ?? ''} ${event.seq ?? ''}`)
    events.push(event)
    return result
  }
}
