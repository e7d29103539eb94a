/** A fixture: an authority with two tenants, and a secret store whose macaroons need its discharge. */
import type { Discharged, Exchanged, Minted, ThirdPartyAdded } from '../../../primary/authority/commands.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { decodeBundle, encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { decodeTokenText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { createDischarge, requireDischarge } from '../../../shared/macaroon/third-party.ts'
import { openTicket } from '../../../shared/macaroon/ticket.ts'
import { isRefused, type Refused } from '../../../shared/verifier/verdict.ts'
import type { ClearedBundle } from '../../../shared/verifier/clear.ts'
import { judgeAccess, verifyWithKey } from '../../../shared/verifier/with-key.ts'
import { systemEntropy } from '../../../shared/clock.ts'
import { SERVICE_TTL_SECONDS_MAX } from '../../../shared/limits.ts'
import { idOf, ticketOf } from '../../shared/macaroon/ticket-of.ts'
import { ACTOR, Authority } from './fixture.ts'

export const PRESENTER = '12D3KooWPresenter'
export const LOGIN = 'https://login.example'
export const STORE_SECRET: Uint8Array = Buffer.from('the secret of the store')
const LOGIN_SECRET: Uint8Array = Buffer.alloc(32, 7)

interface ExchangeChanges {
  readonly strip?: string
  readonly id?: string
  readonly ticket?: Uint8Array
  readonly ttlSeconds?: number
  readonly ttlSecondsMax?: number
}

export class Tenants extends Authority {
  constructor() {
    super()
    for (const org of ['acme', 'globex']) this.createOrg(org)
  }

  minted(org: string, caveats: readonly string[] = []): Minted {
    return this.mint({ org, caveats }).answer as Minted
  }

  addStore({ unrevoked = false }: { readonly unrevoked?: boolean } = {}): ThirdPartyAdded {
    const command = { kind: 'third-party.add', actor: ACTOR, name: 'store', unrevoked } as const
    return this.do(command).answer as ThirdPartyAdded
  }

  discharge(root: Macaroon, tokens: readonly string[], presenter: string = PRESENTER): Discharged {
    const ticket = root.caveats.findLast(({ vid }) => vid !== undefined)?.cid ?? new Uint8Array()
    return this.do({ kind: 'token.discharge', actor: ACTOR, presenter, ticket, tokens }).answer as Discharged
  }

  exchange(bundle: string, changes: ExchangeChanges = {}): Exchanged {
    const ttlSecondsMax = SERVICE_TTL_SECONDS_MAX
    const defaults = { strip: LOGIN, id: idOf(bundle), ticket: ticketOf(bundle), ttlSeconds: 3_600, ttlSecondsMax }
    const command = {
      kind: 'token.exchange',
      actor: ACTOR,
      presenter: PRESENTER,
      bundle,
      ...defaults,
      ...changes,
    } as const
    return this.do(command).answer as Exchanged
  }

  revoke(id: string): void {
    this.do({ kind: 'token.revoke', actor: ACTOR, ...parseTokenId(id), expiresAt: 0, recorded: true, reason: '' })
  }
}

/** The orchestrator's token of the store: it opens everything, once the authority says that the tenant may. */
export function storeToken({ location, publicKey }: ThirdPartyAdded, condition: string = 'may op=read'): Macaroon {
  const root = createMacaroon({ secret: STORE_SECRET, location: 'store', identifier: 'orchestrator 1' })
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  return requireDischarge(root, { location, condition, recipient }, systemEntropy)
}

/** As the store judges it, for a secret of one tenant. */
export function readSecret(
  root: Macaroon,
  discharges: string | readonly string[],
  access: StoreAccess,
): ClearedBundle | Refused {
  const context = { nowEarliestMs: access.nowMs, nowLatestMs: access.nowMs }
  const judge = judgeAccess({ op: 'read', ...access.more, org: access.tenant }, context)
  if (isRefused(judge)) return judge
  const bundle = bindDischarges(
    root,
    [discharges].flat().map((text) => decodeTokenText(text)),
  )
  return verifyWithKey({ bundle, rootKey: { secret: STORE_SECRET }, judge })
}

export interface StoreAccess {
  readonly tenant: string
  readonly nowMs: number
  readonly more?: Readonly<Record<string, string>>
}

/** The token with a login caveat, and the discharge that the login service gives for it. */
export function withLogin(token: string, dischargeCaveats: readonly string[] = []): string {
  const recipient = { sharedKey: LOGIN_SECRET }
  const condition = 'somebody is logged in'
  const root = requireDischarge(decodeTokenText(token), { location: LOGIN, condition, recipient }, systemEntropy)
  return encodeBundle(bindDischarges(root, [loginDischarge(root, dischargeCaveats)]))
}

export function rootOf(bundle: string): string {
  const [root] = decodeBundle(bundle)
  return root === undefined ? '' : encodeTokenText(root)
}

/** Opens the ticket as the login service does. */
function loginDischarge(root: Macaroon, caveats: readonly string[]): Macaroon {
  const ticket = root.caveats.at(-1)?.cid ?? new Uint8Array()
  const { caveatKey } = openTicket(ticket, [{ sharedKey: LOGIN_SECRET }])
  return attenuate(createDischarge({ ticket, caveatKey, location: LOGIN }), caveats)
}

export function messageOf(work: () => unknown): string {
  const error = errorOf(work)
  return error instanceof Error ? error.message : String(error)
}

function errorOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return 'no error'
}
