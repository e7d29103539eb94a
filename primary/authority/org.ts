import { deriveMacaroonKey, randomSecret } from '../../shared/crypto.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { kid as asKid, KID_BYTES } from '../../shared/ids.ts'
import { seal } from '../../shared/sealing.ts'
import type { Command } from './commands.ts'
import type { AuthorityState, Org } from './state.ts'
import type { Decision, Moment } from './step.ts'

/** A new org gets its first root key at once, so that a token can be minted right after. */
export function createOrg(
  state: AuthorityState,
  command: Extract<Command, { kind: 'org.create' }>,
  moment: Moment,
): Decision {
  const { name, actor } = command
  if (state.orgs.has(name)) {
    throw new MacaroondError('org_exists', `org ${name} exists already`, {
      hint: '`macaroond org list` shows all orgs',
    })
  }
  const kid = asKid(moment.entropy.bytes(KID_BYTES).toString('hex'))
  const secret = randomSecret(moment.entropy)
  const sealedSecret = seal(moment.kek, { cluster: state.cluster, org: name, kid }, secret, moment.entropy)
  const createdMs = moment.wallMs
  const key = { kid, org: name, generation: 1, state: 'active' as const }
  const org = { name, state: 'active' as const, createdMs }
  state.keys.set(kid, { ...key, derivedKey: deriveMacaroonKey(secret) })
  state.orgs.set(name, { ...org, activeKid: kid })
  state.keyGeneration += 1
  return {
    rows: [
      { table: 'orgs', row: org },
      { table: 'root_keys', row: { ...key, sealedSecret, createdMs } },
    ],
    answer: { org: name, kid },
    audit: { atMs: moment.wallMs, actor: actor.text, action: 'org.create', org: name, target: kid, detail: {} },
  }
}

/** The org, if it may mint. Throws org_unknown, org_disabled. */
export function activeOrg(state: AuthorityState, name: string): Org {
  const org = state.orgs.get(name)
  if (org === undefined) {
    throw new MacaroondError('org_unknown', `there is no org ${name}`, {
      hint: `create it with \`macaroond org create ${name}\`, or see \`macaroond org list\``,
    })
  }
  if (org.state === 'disabled') throw new MacaroondError('org_disabled', `org ${name} is disabled`)
  return org
}
