/** The load during faults: mints, attenuates and exchanges tokens, gives them to every service, revokes and then drops them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { MintResult, RevokeWait, Signer } from '../../../primary/signer/sdk.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import type { MintEvent, Named, RevokeEvent } from '../../history/event.ts'
import type { Random } from '../random.ts'
import type { ShownToken } from './service-process.ts'
import { monotonicMs } from './clock.ts'
import { LOGIN, withLogin } from './login.ts'
import type { Testbed } from './testbed.ts'
import { carryOut, disabledOrg, ORGS, RevocableTokens } from './revocable-tokens.ts'
import { loginOf } from '../../shared/macaroon/ticket-of.ts'

export interface LoadOptions {
  readonly random: Random
  /** How long a revoked token is shown on, so that what a service says of it is seen on both sides of the bound. */
  readonly watchMs: number
}

/** What is kept of those that ended, for a last look. */
const ENDED_MAX = 60

const MINT_EVERY_MS = 120
const REVOKE_EVERY_MS = 180
/** Valid to the end. */
const LASTING = 4
/** By the turn: most tokens are revoked alone, and a new root key is a rare thing. */
const KINDS = [
  'token',
  'subject',
  'token',
  'org',
  'subject',
  'token',
  'subject',
  'token',
  'org',
  'token',
  'key',
  'disabled',
] as const

interface Minted {
  readonly minted: MintEvent
  readonly shown: readonly ShownToken[]
}

export class Load {
  readonly #testbed: Testbed
  readonly #options: LoadOptions
  readonly #signer: Signer
  readonly #revocable = new RevocableTokens()
  readonly #loops: Promise<void>[] = []
  readonly #calls = new Set<Promise<void>>()
  readonly #lasting: ShownToken[] = []
  #ended: readonly ShownToken[] = []
  #running = true
  #turn = 0
  /** Names the subject whose tokens come now: after its cut-off it is another one’s turn. */
  #guests = 0
  /** Counts the orgs that are disabled one after the other. */
  #orgs = 0

  private constructor(testbed: Testbed, signer: Signer, options: LoadOptions) {
    this.#testbed = testbed
    this.#signer = signer
    this.#options = options
  }

  static async start(testbed: Testbed, options: LoadOptions): Promise<Load> {
    const load = new Load(testbed, await testbed.signer(), options)
    for (const org of new Set([...Object.values(ORGS), disabledOrg(0)])) await untilCreated(load.#signer, org)
    for (let count = 0; count < LASTING; count += 1) {
      load.#lasting.push(...(await load.#minted(ORGS.token, 'somebody')).shown)
    }
    load.#show(load.#lasting)
    load.#show([await load.#forged()])
    load.#loops.push(load.#every(MINT_EVERY_MS, () => load.#mint()))
    load.#loops.push(load.#every(REVOKE_EVERY_MS, () => load.#revoke()))
    return load
  }

  /** Of the last tokens whose revocation was acknowledged, and of those that nobody revokes. */
  get known(): { readonly ended: readonly ShownToken[]; readonly lasting: readonly ShownToken[] } {
    return { ended: this.#ended, lasting: this.#lasting }
  }

  /** Lets calls in flight end. */
  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
    await Promise.all(this.#calls)
  }

  /** Calls overlap: a revocation that waits for the world must keep no other waiting. */
  async #every(ms: number, work: () => Promise<void>): Promise<void> {
    while (this.#running) {
      const call = work().catch(ignoreOutage)
      this.#calls.add(call)
      void call.finally(() => this.#calls.delete(call))
      await delay(ms)
    }
  }

  async #mint(): Promise<void> {
    this.#turn += 1
    const kind = KINDS[this.#turn % KINDS.length] ?? 'token'
    const org = kind === 'disabled' ? disabledOrg(this.#orgs) : ORGS[kind]
    const { minted, shown } = await this.#minted(org, kind === 'subject' ? `guest ${this.#guests}` : 'somebody')
    this.#show(shown)
    this.#revocable.add({ kind, minted, shown, sinceMs: monotonicMs() })
  }

  /** A token, a narrower one, and every third time a service token made of it: what ends the first ends them all. */
  async #minted(org: string, subject: string): Promise<Minted> {
    const inv = monotonicMs()
    const result = await this.#signer.mint({ org, subject, ttlSeconds: 7_200 })
    const minted = this.#record(inv, result, [])
    const narrowed = encodeTokenText(attenuate(decodeTokenText(result.token), ['op in read,write']))
    const shown = [result.token, narrowed].map((text) => ({ id: result.id, text, org }))
    return { minted, shown: this.#turn % 3 === 0 ? [...shown, await this.#exchanged(result)] : shown }
  }

  async #exchanged({ token, org }: MintResult): Promise<ShownToken> {
    const inv = monotonicMs()
    const bundle = withLogin(token)
    const result = await this.#signer.exchange({ token: bundle, strip: LOGIN, ...loginOf(bundle) })
    this.#record(inv, result, result.ancestors)
    return { id: result.id, text: result.token, org }
  }

  #record(inv: number, { id, org, subject, issuedAtMs }: MintResult, ancestors: readonly string[]): MintEvent {
    const [kid = ''] = id.split('.')
    const times = { inv, ret: monotonicMs(), issuedMs: issuedAtMs }
    const minted: MintEvent = { t: 'mint', ...times, id, ancestors, org, subject, kid }
    this.#testbed.events.push(minted)
    return minted
  }

  async #forged(): Promise<ShownToken> {
    const [real] = (await this.#minted(ORGS.token, 'somebody')).shown
    const macaroon = decodeTokenText(real?.text ?? '')
    const signature = macaroon.signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte))
    return { text: encodeTokenText({ ...macaroon, signature }), org: ORGS.token }
  }

  async #revoke(): Promise<void> {
    const picked = this.#revocable.pick(this.#options.random)
    if (picked === undefined) return
    const { named, tokens } = picked
    if (named.kind === 'subject') this.#guests += 1
    const wait = this.#options.random.pick(['local', 'durable', 'global'] as const) ?? 'durable'
    if (named.kind === 'disabled') await this.#nextOrg()
    // The one that mints goes on doing so until there is another.
    if (named.kind === 'key') await this.#signer.rotateKey(ORGS.key)
    const revoked = await this.#revoked(named, wait)
    this.#testbed.events.push(revoked)
    const shown = tokens.flatMap((token) => token.shown)
    if (revoked.result === 'ok') this.#ended = [...this.#ended, ...shown].slice(-ENDED_MAX)
    await this.#testbed.pause(this.#options.watchMs)
    const texts = shown.map(({ text }) => text)
    for (const service of this.#testbed.services) service.drop(texts)
  }

  /** Minted for from now on, so that the one before can go. */
  async #nextOrg(): Promise<void> {
    const next = this.#orgs + 1
    await untilCreated(this.#signer, disabledOrg(next))
    this.#orgs = Math.max(this.#orgs, next)
  }

  async #revoked(named: Named, wait: RevokeWait): Promise<RevokeEvent> {
    const inv = monotonicMs()
    try {
      const place = await carryOut(this.#signer, named, { wait })
      return { t: 'revoke', inv, ret: monotonicMs(), named, wait, result: 'ok', ...place }
    } catch (error) {
      if (!(error instanceof MacaroondError)) throw error
      return { t: 'revoke', inv, ret: monotonicMs(), named, wait, result: 'indeterminate' }
    }
  }

  #show(tokens: readonly ShownToken[]): void {
    for (const service of this.#testbed.services) service.show(tokens)
  }
}

/** Retries: a call to a primary that is just starting may end without an answer. */
export async function untilCreated(signer: Signer, org: string): Promise<void> {
  for (let left = 200; ; left -= 1) {
    try {
      await signer.createOrg(org)
      return
    } catch (error) {
      if (error instanceof MacaroondError && error.code === 'org_exists') return
      if (left === 0) throw error
      await delay(50)
    }
  }
}

/** A primary that is away mints and exchanges nothing, nor is a token exchanged whose key or org has ended just now. */
function ignoreOutage(error: unknown): void {
  if (!(error instanceof MacaroondError)) throw error
  const expected =
    error.kind === 'unavailable' ||
    error.code === 'closed' ||
    error.code === 'token_refused' ||
    error.code === 'org_disabled'
  if (!expected) throw error
}
