/**
 * Decides the commands on orgs and their root keys: creates an org, rotates its key, and finds the key to retire if a command
 * names none.
 */
import { deriveMacaroonKey, randomSecret } from '../../shared/crypto.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { kid as asKid, type Kid, KID_BYTES } from '../../shared/ids.ts'
import type { CommandOf } from './commands.ts'
import { sealSecret } from './kek.ts'
import type { Row } from './rows.ts'
import type { AuthorityState, Org } from './state.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** A new org gets its first root key in the same transaction, so it can mint at once. Throws org_exists, org_disabled. */
export function createOrg(state: AuthorityState, command: CommandOf<'org.create'>, context: DecisionContext): Decision {
  const { name, actor } = command
  if (state.orgs.has(name)) {
    throw new MacaroondError('org_exists', `org ${name} exists already`, {
      hint: '`macaroond org list` shows all orgs',
    })
  }
  // A restore may undo the creation of an org, but never the revocation that disabled it.
  if (state.revocations.cutOffs.reach({ kind: 'org_disabled', org: name, seq: 0, expiresAt: 0 }) !== undefined) {
    throw disabled(name)
  }
  const createdMs = context.nowMs
  const { kid, row } = newKey(state, name, context)
  const org = { name, state: 'active' as const, createdMs }
  state.orgs.set(name, { ...org, activeKid: kid })
  return {
    rows: [{ table: 'orgs', row: org }, row],
    answer: { org: name, kid },
    audit: { atMs: context.nowMs, actor: actor.text, action: 'org.create', org: name, target: kid, detail: {} },
  }
}

/** The new key mints from now on. Throws org_unknown, org_disabled. */
export function rotateKey(
  state: AuthorityState,
  { org: name, actor }: CommandOf<'key.rotate'>,
  context: DecisionContext,
): Decision {
  const org = activeOrg(state, name)
  const { kid, generation, row } = newKey(state, name, context)
  const previous = org.activeKid ?? null
  state.orgs.set(name, { ...org, activeKid: kid })
  const common = { atMs: context.nowMs, actor: actor.text, org: name, target: kid }
  return {
    rows: [row],
    answer: { org: name, kid, generation, previous },
    audit: { ...common, action: 'key.rotate', detail: { generation, previous: previous ?? '' } },
  }
}

interface NewKey {
  readonly kid: Kid
  readonly generation: number
  readonly row: Row
}

/** Adds a key of the org's next generation to the state. Throws kek_wrong. */
function newKey(state: AuthorityState, org: string, context: DecisionContext): NewKey {
  const { entropy, nowMs } = context
  const kid = asKid(entropy.bytes(KID_BYTES).toString('hex'))
  const secret = randomSecret(entropy)
  const sealedSecret = sealSecret(state, { cluster: state.cluster, org, kid }, secret, context)
  const own = [...state.keys.values()].filter((key) => key.org === org)
  const generation = 1 + own.reduce((highest, key) => Math.max(highest, key.generation), 0)
  const key = { kid, org, generation, state: 'active' as const, createdMs: nowMs }
  state.keys.set(kid, { ...key, sealed: sealedSecret, derivedKey: deriveMacaroonKey(secret) })
  state.keyGeneration += 1
  return { kid, generation, row: { table: 'root_keys', row: { ...key, sealedSecret } } }
}

/** The org, if it may mint. Throws org_unknown, org_disabled. */
export function activeOrg(state: AuthorityState, name: string): Org {
  const org = knownOrg(state, name)
  if (org.state === 'disabled') throw disabled(name)
  return org
}

/** Throws org_unknown. */
export function knownOrg({ orgs }: AuthorityState, name: string): Org {
  const org = orgs.get(name)
  if (org !== undefined) return org
  throw new MacaroondError('org_unknown', `there is no org ${name}`, {
    hint: `create it with \`macaroond org create ${name}\`, or see \`macaroond org list\``,
  })
}

/**
 * The key to retire if the caller names none: the org's only active key that no longer mints. Throws request_invalid if there
 * is not exactly one.
 */
export function olderKey({ keys, orgs }: AuthorityState, org: string): Kid {
  const mints = orgs.get(org)?.activeKid
  const old = [...keys.values()].filter((key) => key.org === org && key.state === 'active' && key.kid !== mints)
  const [only, another] = old
  if (only !== undefined && another === undefined) return only.kid
  const what =
    only === undefined
      ? `org ${org} has no active key${mints === undefined ? '' : ` except ${mints}, which mints`}`
      : `org ${org} has ${old.length} older keys: ${keysText(old)}`
  throw new MacaroondError('request_invalid', what, {
    hint: 'name the key; retiring the one that mints revokes its tokens, and `macaroond org rotate-key` makes a new key',
  })
}

/** The most keys that a message names. */
const KEYS_NAMED_MAX = 5

function keysText(keys: readonly { readonly kid: Kid }[]): string {
  const named = keys.slice(0, KEYS_NAMED_MAX).map(({ kid }) => kid)
  return [...named, ...(keys.length > KEYS_NAMED_MAX ? ['and others'] : [])].join(', ')
}

export function noSuchKey(org: string, kid: Kid): MacaroondError {
  return new MacaroondError('key_unknown', `org ${org} has no key ${kid}`, {
    hint: '`macaroond org list` shows all keys',
  })
}

function disabled(name: string): MacaroondError {
  return new MacaroondError('org_disabled', `org ${name} is disabled`, {
    hint: 'that cannot be undone: create another org',
  })
}
