/** `archive rehearse`: runs a whole disaster and its restore on a cluster in a temporary folder. It touches no real cluster. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

const REGIONS: readonly string[] = ['fra', 'sin']

/** Adds `archive rehearse`. An operator who has never seen a restore learns here what one looks like, at no risk. */
export function addArchiveRehearse(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('rehearse')
    .description(
      'rehearse a disaster on a temporary cluster: its primary loses its disk and is restored from the archive',
    )
    .action(async () => {
      const [{ runSteps }, { rehearsalSteps }] = await Promise.all([
        import('../tour/run.ts'),
        import('../rehearsal/steps.ts'),
      ])
      await runSteps({ name: 'rehearsal', regions: REGIONS, steps: rehearsalSteps(), keep: false }, terminal)
    })
  addHelp(command, {
    examples: ['macaroond archive rehearse'],
    json: [
      '{"ok", "steps": [{"step", "ok", "ms", "detail"}]}; ms of step "back to service" is the time without a primary',
    ],
    exit: '0 only if every step passed',
  })
}
