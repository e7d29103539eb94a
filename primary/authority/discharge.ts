/**
 * Discharges third-party caveats that are addressed to the authority itself: it confirms "may do X" to a holder whose tokens
 * allow X. The discharge is good for the org of those tokens only, and names them. It carries on each of their caveats that
 * the condition does not decide. It expires within a minute, and never later than one of the tokens.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { AUTHORITY_DISCHARGE_TTL_SECONDS, CAVEATS_MAX } from '../../shared/limits.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import { createDischarge } from '../../shared/macaroon/third-party.ts'
import { openTicket, type Ticket } from '../../shared/macaroon/ticket.ts'
import { requireBelieved } from './believed.ts'
import { accessDecides } from './partial-judge.ts'
import type { CommandOf } from './commands.ts'
import { parseCondition } from './condition.ts'
import { firstPartyCaveats, judgePresented, tokenIdsOf, type Presented } from './presented.ts'
import type { AuthorityState, ThirdPartyKey } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'
import { thirdPartyLocation } from './third-party.ts'

type Discharge = CommandOf<'token.discharge'>

export function discharge(state: AuthorityState, command: Discharge, context: DecisionContext): Decision {
  const { ticket, tokens, presenter, actor } = command
  const { caveatKey, condition, thirdParty } = openWithServiceKey(state, ticket)
  const asked = parseCondition(condition)
  const presented = tokens.map((bundle) => judgePresented(state, { bundle, presenter, asked }, context))
  const org = oneOrg(presented)
  const expiresAt = expiryOf(presented, context)
  const caveats = caveatsOf({ presented, org, asked, thirdParty, expiresAt })
  const location = thirdPartyLocation(state.cluster, thirdParty.name)
  const text = encodeTokenText(createDischarge({ ticket, caveatKey, location, caveats }))
  const ids = presented.map(({ verdict }) => verdict.id)
  return {
    rows: [],
    answer: { discharge: text, tenant: org, presented: ids, expiresAt },
    audit: {
      atMs: context.nowMs,
      actor: actor.text,
      org,
      target: ids.join(' '),
      action: 'token.discharge',
      detail: { thirdParty: thirdParty.name, condition, expiresAt },
    },
  }
}

/**
 * Opens the ticket with the keys of all registered services; the key that fits names the service. The ticket of a removed
 * service no longer opens. Throws ticket_invalid.
 */
function openWithServiceKey(
  state: AuthorityState,
  ticket: Uint8Array,
): Ticket & { readonly thirdParty: ThirdPartyKey } {
  for (const thirdParty of state.thirdParties.values()) {
    const found = tryOpen(ticket, thirdParty)
    if (found !== undefined) return { ...found, thirdParty }
  }
  throw new MacaroondError('ticket_invalid', 'the ticket was not sealed for this authority, or it was changed', {
    hint: '`macaroond third-party list` shows the public keys that tickets may be sealed to',
  })
}

function tryOpen(ticket: Uint8Array, { privateKey }: ThirdPartyKey): Ticket | undefined {
  if (privateKey === undefined) return undefined
  try {
    return openTicket(ticket, [{ privateKey }])
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'ticket_invalid') return undefined
    throw error
  }
}

/**
 * The org of all presented tokens. Tokens of two orgs are refused, because it would be unclear which org's data the access
 * concerns.
 */
function oneOrg(presented: readonly Presented[]): string {
  const [org, another] = new Set(presented.map((one) => one.org))
  if (org !== undefined && another === undefined) return org
  throw new MacaroondError('discharge_refused', 'the presented tokens belong to more than one org', {
    hint: 'present the tokens of one tenant only',
  })
}

/**
 * Unix seconds. A token's own expiry is not a caveat, so this function applies it to the discharge. Like a mint, it counts
 * from the earlier of two times: verifiers judge by real time, so an authority's time that once jumped ahead must not lengthen
 * the discharge.
 */
function expiryOf(presented: readonly Presented[], context: DecisionContext): number {
  const nowMs = Math.min(context.nowMs, requireBelieved(context).earliestMs)
  const ends = presented.map(({ identifier }) => identifier.expiresAt).filter((expiresAt) => expiresAt !== 0)
  return Math.min(Math.floor(nowMs / 1000) + AUTHORITY_DISCHARGE_TTL_SECONDS, ...ends)
}

interface Confirmed {
  readonly presented: readonly Presented[]
  readonly org: string
  readonly asked: ReadonlyMap<string, readonly string[]>
  readonly thirdParty: ThirdPartyKey
  readonly expiresAt: number
}

/**
 * The caveats `presented = …` come first. A verdict reports only those at the beginning of a discharge, because a holder could
 * have appended the others (shared/macaroon/FORMAT.md).
 */
function caveatsOf({ presented, org, asked, thirdParty, expiresAt }: Confirmed): readonly (string | Uint8Array)[] {
  const stated = new Set([...asked.keys(), 'org'])
  const carried = presented.flatMap(firstPartyCaveats).filter((caveat) => !accessDecides(caveat, stated))
  const caveats = [
    ...presented.map(({ verdict }) => `presented = ${verdict.id}`),
    `tenant = ${org}`,
    ...carried,
    ...(thirdParty.unrevoked ? presented.flatMap(tokenIdsOf).map((id) => `unrevoked = ${id}`) : []),
    `time < ${expiresAt}`,
  ]
  if (caveats.length <= CAVEATS_MAX) return caveats
  throw new MacaroondError('discharge_refused', `the discharge would have more than ${CAVEATS_MAX} caveats`, {
    hint: 'present tokens with fewer caveats',
  })
}
