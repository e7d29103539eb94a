import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

const REGIONS: readonly string[] = ['fra', 'sin']

export function addTour(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('tour')
    .description('show the main job on a cluster of processes on this machine, step by step, each with its time')
    .option('--keep', 'keep the cluster up afterwards, as `macaroond dev` does, until Ctrl-C')
    .action(async ({ keep = false }: { keep?: boolean }) => {
      const [{ runSteps }, { tourSteps }] = await Promise.all([import('../tour/run.ts'), import('../tour/steps.ts')])
      await runSteps({ name: 'tour', regions: REGIONS, steps: tourSteps(REGIONS), keep }, terminal)
    })
  addHelp(command, {
    examples: ['macaroond tour', 'macaroond tour --keep'],
    json: [
      '{"ok", "steps": [{"step", "ok", "ms", "detail"}]}; ms is what the step measured, detail says how it went',
      'with --keep, a second line once the cluster is up again, as `macaroond dev --json` prints it',
    ],
    exit: '0 only if every step held',
  })
}
