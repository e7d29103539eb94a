/** Tokens come and go while faults are inflicted: minted, narrowed, exchanged, shown to every service, revoked, watched, forgotten. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RevokeWait, Signer } from '../../../primary/client/sdk.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/macaroon.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import type { RevokeEvent } from '../../history/event.ts'
import type { Random } from '../random.ts'
import type { ShownToken } from './asker.ts'
import { monotonicMs } from './clock.ts'
import type { Stage } from './stage.ts'

export interface LoadOptions {
  readonly random: Random
  /** How long a revoked token is shown on, so that what a service says of it is seen on both sides of the bound. */
  readonly watchMs: number
}

const ORG = 'acme'
const LOGIN = 'https://login.example'
const MINT_EVERY_MS = 120
const REVOKE_EVERY_MS = 180
/** Valid to the end. */
const LASTING = 4
/** A token is known to every service before it is revoked. */
const SHOWN_BEFORE_MS = 400

interface Victim {
  readonly id: string
  readonly shown: readonly ShownToken[]
  readonly sinceMs: number
}

export class Load {
  readonly #stage: Stage
  readonly #options: LoadOptions
  readonly #signer: Signer
  readonly #victims: Victim[] = []
  readonly #loops: Promise<void>[] = []
  readonly #calls = new Set<Promise<void>>()
  #running = true
  #turn = 0

  private constructor(stage: Stage, signer: Signer, options: LoadOptions) {
    this.#stage = stage
    this.#signer = signer
    this.#options = options
  }

  static async start(stage: Stage, options: LoadOptions): Promise<Load> {
    const load = new Load(stage, await stage.signer(), options)
    await untilWritable(load.#signer)
    for (let count = 0; count < LASTING; count += 1) load.#show(await load.#minted())
    load.#show([await load.#forged()])
    load.#loops.push(load.#every(MINT_EVERY_MS, () => load.#mint()))
    load.#loops.push(load.#every(REVOKE_EVERY_MS, () => load.#revoke()))
    return load
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
    const shown = await this.#minted()
    this.#show(shown)
    const id = shown[0]?.id ?? ''
    this.#victims.push({ id, shown, sinceMs: monotonicMs() })
  }

  /** A token, a narrower one, and every third time a service token made of it: the revocation of the first ends them all. */
  async #minted(): Promise<readonly ShownToken[]> {
    const inv = monotonicMs()
    const { token, id } = await this.#signer.mint({ org: ORG, subject: 'somebody', ttlSeconds: 7_200 })
    this.#stage.events.push({ t: 'mint', inv, ret: monotonicMs(), id, ancestors: [] })
    const narrowed = encodeTokenText(attenuate(decodeTokenText(token), ['op in read,write']))
    const shown = [token, narrowed].map((text) => ({ id, text, org: ORG }))
    this.#turn += 1
    return this.#turn % 3 === 0 ? [...shown, await this.#exchanged(token)] : shown
  }

  async #exchanged(token: string): Promise<ShownToken> {
    const inv = monotonicMs()
    const { token: text, id, ancestors } = await this.#signer.exchange({ token: withLogin(token), strip: LOGIN })
    this.#stage.events.push({ t: 'mint', inv, ret: monotonicMs(), id, ancestors })
    return { id, text, org: ORG }
  }

  async #forged(): Promise<ShownToken> {
    const [real] = await this.#minted()
    const macaroon = decodeTokenText(real?.text ?? '')
    const signature = macaroon.signature.map((byte, index) => (index === 0 ? byte ^ 1 : byte))
    return { text: encodeTokenText({ ...macaroon, signature }), org: ORG }
  }

  async #revoke(): Promise<void> {
    const due = this.#victims.filter(({ sinceMs }) => monotonicMs() - sinceMs > SHOWN_BEFORE_MS)
    const victim = this.#options.random.pick(due)
    if (victim === undefined) return
    this.#victims.splice(this.#victims.indexOf(victim), 1)
    const wait = this.#options.random.pick(['local', 'durable', 'global'] as const) ?? 'durable'
    this.#stage.events.push(await this.#revoked(victim.id, wait))
    await delay(this.#options.watchMs)
    for (const asker of this.#stage.askers) asker.drop(victim.shown.map(({ text }) => text))
  }

  async #revoked(id: string, wait: RevokeWait): Promise<RevokeEvent> {
    const inv = monotonicMs()
    try {
      const { seq, position } = await this.#signer.revoke({ id, wait })
      const epoch = Number(position.split('.')[0])
      return { t: 'revoke', inv, ret: monotonicMs(), id, wait, result: 'ok', epoch, seq }
    } catch (error) {
      if (!(error instanceof MacaroondError)) throw error
      return { t: 'revoke', inv, ret: monotonicMs(), id, wait, result: 'indeterminate' }
    }
  }

  #show(tokens: readonly ShownToken[]): void {
    for (const asker of this.#stage.askers) asker.show(tokens)
  }
}

/** A login that is discharged already, so that the authority makes a service token of it. */
function withLogin(token: string): string {
  const caveatKey = systemEntropy.bytes(32)
  const ticket = systemEntropy.bytes(16)
  const root = addThirdPartyCaveat(decodeTokenText(token), { caveatKey, ticket, location: LOGIN }, systemEntropy)
  return encodeBundle(bindDischarges(root, [createDischarge({ ticket, caveatKey })]))
}

async function untilWritable(signer: Signer): Promise<void> {
  for (let left = 200; ; left -= 1) {
    try {
      await signer.createOrg(ORG)
      return
    } catch (error) {
      if (error instanceof MacaroondError && error.code === 'org_exists') return
      if (left === 0) throw error
      await delay(50)
    }
  }
}

/** A primary that is away mints and exchanges nothing; whatever else goes wrong is for the run to fail on. */
function ignoreOutage(error: unknown): void {
  const away = error instanceof MacaroondError && (error.kind === 'unavailable' || error.code === 'closed')
  if (!away) throw error
}
