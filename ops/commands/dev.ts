import type { Command } from 'commander'
import { regionName } from '../../shared/config/node-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

interface DevOptions {
  readonly dir?: string
  readonly regions?: string
}

const REGIONS_MAX = 16

export function addDev(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('dev')
    .description('run a primary and a replica a region on this machine until Ctrl-C, each a process of its own')
    .option(
      '--dir <folder>',
      'where it lies; a cluster that is there already is started again (default: a new temporary folder)',
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
      'the same, without folder and profile, is in cluster.json in the folder from then until dev ends',
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
