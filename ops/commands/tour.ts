/** `macaroond tour`: shows the main promises on a temporary cluster of real processes, one measured step after the other. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

const REGIONS: readonly string[] = ['fra', 'sin']

const NEXT: readonly string[] = [
  'what to try next:',
  '  macaroond dev --dir ./demo   a cluster to work with, until Ctrl-C',
  '  docs/concepts.md             macaroons in ten minutes',
  '  docs/production.md           a cluster on machines of your own',
]

/** Adds `macaroond tour`, which `npm start` runs. */
export function addTour(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('tour')
    .description(
      'show what macaroond does on a temporary cluster on this machine, step by step, with the time of each step',
    )
    .option('--keep', 'keep the cluster running afterwards, as `macaroond dev` does, until Ctrl-C')
    .action(async ({ keep = false }: { keep?: boolean }) => {
      terminal.say('making a cluster on this machine, which takes some seconds')
      const [{ runSteps }, { tourSteps }] = await Promise.all([import('../tour/run.ts'), import('../tour/steps.ts')])
      await runSteps({ name: 'tour', regions: REGIONS, steps: tourSteps(REGIONS), keep, next: NEXT }, terminal)
    })
  addHelp(command, {
    examples: ['macaroond tour', 'macaroond tour --keep'],
    json: [
      '{"ok", "steps": [{"step", "ok", "ms", "detail"}]}; ms is the time that the step measured, detail its result',
      'with --keep, a second line once the cluster is up again: the document of `macaroond dev --json`',
    ],
    exit: '0 only if every step passed',
  })
}
