/**
 * `macaroond dev`: runs a whole cluster on this machine, for trying things out. It is not for production: one machine holds
 * every node and every key.
 */
import type { Command } from 'commander'
import { regionName } from '../../shared/config/node-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

interface DevOptions {
  readonly dir?: string
  readonly regions?: string
}

/** Each region is a process of its own on this machine. */
const REGIONS_MAX = 16

export function addDev(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('dev')
    .description('run a primary and one replica per region on this machine until Ctrl-C, each as its own process')
    .option(
      '--dir <folder>',
      'folder of the cluster; a cluster that is already there is started again (default: a new temporary folder)',
    )
    .option('--regions <list>', 'regions of a new cluster, separated by commas (default: fra,sin)')
    .action(async ({ dir, regions }: DevOptions) => {
      const wanted = regions === undefined ? undefined : parseRegions(regions)
      const { runDev } = await import('../cluster/dev.ts')
      await runDev({ dir, regions: wanted }, terminal)
    })
  addHelp(command, {
    examples: ['macaroond dev', 'macaroond dev --dir ./cluster --regions fra,sin,iad'],
    json: [
      'one line when all nodes are ready: {"folder", "profile", "primary", "replicas", "archive": folder | null, "profiles": {"operator", "worker", "signer"}}',
      'primary and each of replicas: {"region" (replicas), "pid", "address", "peerId", "database", "config", "command"}',
      'until dev ends, cluster.json in the folder contains the same document without folder and profile',
    ],
  })
}

/** Throws usage. */
function parseRegions(text: string): readonly string[] {
  const regions = text.split(',').map((region) => region.trim())
  const wrong = regions.find((region) => !regionName.safeParse(region).success)
  const complain = (message: string): MacaroondError =>
    new MacaroondError('usage', message, { hint: 'for example --regions fra,sin' })
  if (wrong !== undefined) throw complain(`not a region: "${wrong.slice(0, 80)}"`)
  if (new Set(regions).size < regions.length) throw complain('a region is named twice')
  if (regions.length > REGIONS_MAX) throw complain(`more than ${REGIONS_MAX} regions`)
  return regions
}
