/** `macaroond whoami`: the identity, role and orgs of the caller, as the node that is asked sees them. */
import type { Command } from 'commander'
import { unlessOlder } from '../../shared/channel/older-node.ts'
import type { Profile, ProfileReplica } from '../../shared/config/profile.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { whoamiResult, type WhoamiResult } from '../../shared/protocol/whoami.ts'
import { addHelp } from '../arguments/help.ts'
import { adminOf, profileOf, replicasIn } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `macaroond whoami`. */
export function addWhoami(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('whoami')
    .description('show identity, role and orgs of the caller as a node of the cluster sees them')
    .option('--region <region>', 'ask a replica of this region (default: the primary; for a worker its replicas)')
    .action(async ({ region }: { readonly region?: string }, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const seen =
        region === undefined ? await askAnybody(profile) : await askReplicas(profile, replicasIn(profile, region))
      terminal.answer({ cluster: profile.cluster, identity: profile.identity, ...seen }, linesOf(profile, seen))
    })
  addHelp(command, {
    examples: ['macaroond whoami', 'macaroond whoami --region fra --profile worker.toml'],
    json: [
      '{"cluster", "identity": <path>, "peerId", "name", "role": "operator" | "signer" | "worker" | "replica" | "guest", "orgs": [<org>], "node": "primary" | "replica", "region"}',
      'orgs are those that the caller may act for there, ["*"] for all; region is that of the node, null for the primary',
      'a guest is not listed, and name is null: this replica lets everybody verify tokens',
    ],
    exit: '3 when the node does not know this identity, 4 when it does not answer',
  })
}

/** The primary has no channel for workers, so a caller that it refuses asks the replicas. Throws the primary's error. */
async function askAnybody(profile: Profile): Promise<WhoamiResult> {
  try {
    return await ask(profile, 'sign')
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code !== 'peer_refused' || profile.replicas.length === 0)
      throw error
    return askReplicas(profile, profile.replicas).catch(() => {
      throw error
    })
  }
}

/** Asks one replica after the other until one answers. Throws the error of the last one. */
async function askReplicas(profile: Profile, replicas: readonly ProfileReplica[]): Promise<WhoamiResult> {
  let failure: unknown
  for (const replica of replicas) {
    try {
      return await ask(profile, replica)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** Throws the errors of the connection, and protocol_violation for an answer that is none. */
async function ask(profile: Profile, at: 'sign' | ProfileReplica): Promise<WhoamiResult> {
  const [channel, node, name] =
    at === 'sign'
      ? (['sign', profile.primary, 'the primary'] as const)
      : (['verify', at, `the replica in ${at.region}`] as const)
  const answer = await adminOf(profile, channel)(node, (call) => unlessOlder(name, 'whoami', () => call('whoami', {})))
  const result = whoamiResult.safeParse(answer)
  if (result.success) return result.data
  throw new MacaroondError('protocol_violation', `the answer of ${name} is not an identity`)
}

function linesOf({ cluster }: Profile, { peerId, name, role, orgs, node, region }: WhoamiResult): readonly string[] {
  const where = node === 'primary' ? 'the primary' : `a replica in ${region}`
  return [
    `${name ?? 'not listed'}, ${role}, as ${where} of ${cluster} sees it`,
    `  ${peerId}`,
    ...(orgs.length === 0 ? [] : [`  acts for ${orgs.includes('*') ? 'every org' : orgs.join(', ')}`]),
  ]
}
