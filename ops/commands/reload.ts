/** `macaroond reload`: has a node read its configuration again, as SIGHUP does, and shows what that changed. */
import type { Command } from 'commander'
import { unlessOlder } from '../../shared/channel/older-node.ts'
import type { Profile, ProfileNode } from '../../shared/config/profile.ts'
import { type ErrorReport, MacaroondError, reportOf } from '../../shared/errors.ts'
import { type PeerChanges, type ReloadResult, reloadResult } from '../../shared/protocol/reload.ts'
import { addHelp } from '../arguments/help.ts'
import { adminOf, profileOf, replicasIn } from '../clients.ts'
import { exitStatusOf } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'

/** A node that was asked. */
interface Asked {
  readonly role: 'primary' | 'replica'
  readonly region: string | null
  readonly address: string
  readonly peerId: string
}

/** The change; null if the node closed the connection, because its new list does not name this caller as an operator. */
type Reloaded = Asked & ({ readonly reloaded: ReloadResult | null } | { readonly error: ErrorReport })

/** Adds `macaroond reload`. */
export function addReload(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('reload')
    .description('have a node read its configuration again; show what changed, and what needs a restart')
    .option('--region <region>', 'every replica of this region (default: the primary)')
    .action(async ({ region }: { readonly region?: string }, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const nodes = nodesOf(profile, region)
      const answers: Reloaded[] = []
      for (const node of nodes) answers.push(await reload(profile, node, terminal))
      terminal.answer({ nodes: answers }, answers.flatMap(linesOf), {
        what: `asked ${nodes.map(nameOf).join(', ')} to reload`,
        next: 'the log of the node says what changed',
      })
    })
  addHelp(command, {
    examples: ['macaroond reload', 'macaroond reload --region fra'],
    json: [
      '{"nodes": [{"role", "region", "address", "peerId", "reloaded": {"peers": {"added": [<name>], "removed", "changed"}, "applied": [<key>], "restart": [<key>], "audited"} | null}]}',
      'peers, and `verify_open` of a replica, are in force at once; restart: keys whose new values need a restart of the node',
      'audited (primary only) is false if the audit record could not be written yet: the primary writes it as soon as it can',
      'reloaded is null if the new configuration does not list this caller as an operator; a replica that failed has "error" in its place',
    ],
    exit: '2 if the new configuration is wrong: the previous one then stays in use',
  })
}

function nodesOf(profile: Profile, region: string | undefined): readonly (Asked & { readonly node: ProfileNode })[] {
  const asked = (node: ProfileNode): Pick<Asked, 'address' | 'peerId'> & { readonly node: ProfileNode } => {
    return { address: node.address, peerId: node.peer_id, node }
  }
  if (region === undefined) return [{ role: 'primary', region: null, ...asked(profile.primary) }]
  return replicasIn(profile, region).map((node) => ({ role: 'replica', region: node.region, ...asked(node) }))
}

/** One node that fails must not hide the others, so its error is a part of the answer. Throws the error of the primary. */
async function reload(
  profile: Profile,
  { node, ...asked }: Asked & { readonly node: ProfileNode },
  terminal: Terminal,
): Promise<Reloaded> {
  try {
    return { ...asked, reloaded: await ask(profile, node, nameOf(asked)) }
  } catch (error) {
    if (asked.role === 'primary') throw error
    terminal.status = exitStatusOf(error)
    return { ...asked, error: reportOf(error) }
  }
}

/** Throws the errors of the connection and of the call, and protocol_violation for an answer that is none. */
async function ask(profile: Profile, node: ProfileNode, name: string): Promise<ReloadResult | null> {
  const answer = await adminOf(profile)(node, (call) =>
    unlessOlder(name, 'reload', () => call('reload', {})).catch(async (error: unknown) => {
      // The node accepted this caller, and then closed the connection. A refusal now shows that its new list is the reason.
      if (error instanceof MacaroondError && error.code === 'connection_lost' && (await isRefused(profile, node)))
        return null
      throw error
    }),
  )
  const result = reloadResult.nullable().safeParse(answer)
  if (result.success) return result.data
  throw new MacaroondError('protocol_violation', `the answer of ${name} is not that of a reload`)
}

async function isRefused(profile: Profile, node: ProfileNode): Promise<boolean> {
  const dialled = adminOf(profile)(node, () => Promise.resolve(false))
  return dialled.catch((error: unknown) => error instanceof MacaroondError && error.code === 'peer_refused')
}

function nameOf({ role, region, address }: Asked): string {
  return role === 'primary' ? 'the primary' : `the replica in ${region} (${address})`
}

function linesOf(answer: Reloaded): readonly string[] {
  const name = nameOf(answer)
  if ('error' in answer) return [`${name} did not reload: ${answer.error.message} (${answer.error.code})`]
  const { reloaded } = answer
  if (reloaded === null) return [`${name} reloaded, and no longer lists this identity as an operator`]
  const { peers, applied, restart, audited } = reloaded
  return [
    `${name} reloaded its configuration`,
    ...peerLines(peers),
    ...applied.map((key) => `  in force now: ${key}`),
    ...restart.map((key) => `  needs a restart: ${key}`),
    ...(isEmpty(reloaded) ? ['  nothing in it changed'] : []),
    ...(audited === false ? NOT_AUDITED : []),
  ]
}

/** The reload is done all the same, because it may have removed a stolen key. */
const NOT_AUDITED = [
  '  not audited yet: the primary cannot write now, and records this reload as soon as it can (`macaroond status` says why)',
  '  keep the log of the primary: if it stops before that, only the log has this reload',
]

function peerLines(peers: PeerChanges): readonly string[] {
  return Object.entries(peers).flatMap(([how, names]: [string, readonly string[]]) =>
    names.map((name) => `  peer ${how}: ${name}`),
  )
}

function isEmpty({ peers, applied, restart }: ReloadResult): boolean {
  return [...Object.values(peers), applied, restart].flat().length === 0
}
