/**
 * `peers add`: makes an identity and a profile for a new peer of a cluster, and prints the lines that the operator adds to the
 * configurations. It edits no configuration itself.
 */
import type { Command } from 'commander'
import { systemEntropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import type { AddedPeer, NewPeer } from '../init/add-peer.ts'
import type { Terminal } from '../terminal.ts'

/** The options as texts; `parsePeer` checks them. */
interface AddOptions {
  readonly dir: string
  readonly role: string
  readonly name: string
  readonly orgs?: string
  readonly address?: string
}

/** Adds `peers add`. */
export function addPeers(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('peers')
    .description('add a peer that may dial the nodes of a cluster')
    .command('add')
    .description('make an identity and a profile in a folder that init made, and print what each configuration needs')
  mandatory(command, '--dir <folder>', 'the folder that `macaroond init` made')
  mandatory(command, '--role <role>', 'worker, signer, operator or replica')
  mandatory(command, '--name <name>', 'its name; for a replica, its region')
  command
    .option('--orgs <list>', 'for a signer: the orgs it acts for, separated by commas; * for all')
    .option('--address <host:port>', 'for a replica: the address at which services of its region dial it')
    .action(async ({ dir, ...options }: AddOptions) => {
      const { addPeer } = await import('../init/add-peer.ts')
      const added = await addPeer(dir, await parsePeer(options), systemEntropy)
      const what = `made ${dir}/${added.folder} for ${added.peerId}`
      const next = 'no configuration has it yet: delete that folder and repeat the command, which prints what to add'
      terminal.answer(added, linesOf(dir, added), { what, next })
    })
  addHelp(command, {
    examples: [
      'macaroond peers add --dir prod --role worker --name api',
      'macaroond peers add --dir prod --role signer --name login --orgs acme',
      'macaroond peers add --dir prod --role replica --name iad --address iad1.example.com:7100',
    ],
    json: ['{"peerId", "folder", "blocks": [{"files": ["fra/replica.toml"], "block": "[[peers]]…"}]}'],
  })
}

/** Checks that the options fit the role: an option without effect would be a misunderstanding. Throws usage. */
async function parsePeer({ role, name, orgs, address }: Omit<AddOptions, 'dir'>): Promise<NewPeer> {
  const { parseRegion, parseSigner, requireName } = await import('../init/plan.ts')
  const need = (value: string | undefined, option: string): string => {
    if (value === undefined) throw usage(`a ${role} needs ${option}`)
    return value
  }
  const forbid = (value: string | undefined, option: string): void => {
    if (value !== undefined) throw usage(`a ${role} has no ${option}`)
  }
  switch (role) {
    case 'worker':
    case 'operator':
      forbid(orgs, '--orgs')
      forbid(address, '--address')
      requireName(name, '--name')
      return { role, name }
    case 'signer':
      forbid(address, '--address')
      return { role, ...parseSigner(`${name}=${need(orgs, '--orgs')}`) }
    case 'replica': {
      forbid(orgs, '--orgs')
      const { region, address: dialled } = parseRegion(`${name}=${need(address, '--address')}`)
      return { role, name: region, address: dialled }
    }
    default:
      throw usage(`--role is worker, signer, operator or replica, not ${role}`)
  }
}

function linesOf(dir: string, { folder, peerId, blocks }: AddedPeer): readonly string[] {
  const parts = blocks.flatMap(({ files, block }) => [
    '',
    `Add to ${files.join(', ')}:`,
    '',
    ...block.trimEnd().split('\n'),
  ])
  return [
    `made ${dir}/${folder} for ${peerId}`,
    ...parts,
    '',
    'Then run `macaroond reload`, and with --region for a replica, so that each of these nodes reads its peers again.',
  ]
}

function usage(message: string): MacaroondError {
  return new MacaroondError('usage', message, { hint: 'see macaroond peers add --help' })
}
