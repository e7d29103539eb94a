/** `archive snapshot` and `archive compact`: ask the primary to run a scheduled job of its archiver now. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { adminOf, profileOf } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** The primary is the archive's only writer, so these commands only send it a request. */
export function addArchiveJobs(parent: Command, terminal: Terminal): void {
  addJob(parent, terminal, { name: 'snapshot', description: 'ask the primary to archive its whole database now' })
  addJob(parent, terminal, {
    name: 'compact',
    description: 'ask the primary to merge files into higher levels, and delete what retention allows',
  })
}

/** Adds one of the two commands. Their answer means only that the job is due: an archive may take minutes. */
function addJob(
  parent: Command,
  terminal: Terminal,
  { name, description }: { readonly name: string; readonly description: string },
): void {
  const command = parent
    .command(name)
    .description(description)
    .action(async (_: object, own: Command) => {
      const profile = profileOf(own, terminal.env)
      await adminOf(profile)(profile.primary, (call) => call(`archive.${name}`, {}))
      const text = 'the primary starts as soon as nothing waits for upload; `macaroond status --json` shows its alerts'
      terminal.answer({ asked: true }, text, {
        what: `asked the primary for a ${name} job`,
        next: '`macaroond status` shows it',
      })
    })
  addHelp(command, { examples: [`macaroond archive ${name}`], json: ['{"asked": true}'] })
}
