/** `macaroond init`: makes the configurations, identities and keys of a new cluster, in a folder for each machine. */
import type { Command } from 'commander'
import { systemEntropy } from '../../shared/clock.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory, repeated } from '../arguments/options.ts'
import type { InitOptions } from '../init/plan.ts'
import type { Terminal } from '../terminal.ts'

const BESIDE =
  'The archive lies beside the primary’s data and does not survive its disk; `--archive`, or `to` under [archive], names another place.'

/** Adds `macaroond init`. All options are checked before the first file is written. */
export function addInit(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('init')
    .description('make the configurations, identities and keys of a new cluster, a folder for each machine and service')
  mandatory(command, '--dir <folder>', 'a new or an empty folder, in which to make it')
  mandatory(command, '--cluster <name>', 'the cluster’s name, part of every handshake')
  mandatory(command, '--primary <host:port>', 'the address at which other machines dial the primary')
  command
    .option(
      '--region <name=host:port>',
      'a region, and the address at which its services dial the replica (once each)',
      repeated,
    )
    .option('--worker <name>', 'a service that verifies tokens (once each)', repeated)
    .option(
      '--signer <name=orgs>',
      'a service that issues tokens for these orgs, separated by commas; * for all',
      repeated,
    )
    .option('--archive <place>', 'a folder or s3://BUCKET/FOLDER?… (default: beside the primary’s data)')
    .action(async ({ dir, ...options }: InitOptions & { dir: string }) => {
      const [{ planCluster }, { writeCluster }] = await Promise.all([
        import('../init/plan.ts'),
        import('../init/write-cluster.ts'),
      ])
      const plan = planCluster({ ...options, region: options.region ?? [] })
      const written = await writeCluster(dir, plan, systemEntropy)
      const document = { dir, authorityKey: written.authorityKey, ...written.members, folders: written.folders }
      const lines = [
        `made cluster ${plan.cluster} in ${dir}:`,
        ...written.folders.map(({ folder, goesTo }) => `  ${folder.padEnd(20)} for ${goesTo}`),
        ...(options.archive === undefined ? [BESIDE] : []),
        '',
        'Copy each folder to its machine, then start every node in its folder:',
        '  macaroond primary --config primary.toml',
        '  macaroond replica --config replica.toml',
        'Then check the cluster from here:',
        `  macaroond status --profile ${dir}/operator/operator.toml`,
      ]
      const next = `every folder is complete, and the authority’s public key is in ${dir}/operator/operator.toml`
      terminal.answer(document, lines, { what: `made cluster ${plan.cluster} in ${dir}`, next })
    })
  addHelp(command, {
    examples: [
      'macaroond init --dir prod --cluster prod --primary db1.example.com:7400 \\',
      '  --region fra=fra1.example.com:7401 --region sin=sin1.example.com:7401 --worker api --signer login=acme',
    ],
    json: [
      '{"dir", "authorityKey", "cluster", "primary", "operators", "replicas", "workers", "signers", "folders": [{"folder", "goesTo"}]}',
      'each node, operator, worker and signer is {"name", "peerId", …}',
    ],
  })
}
