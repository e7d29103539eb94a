/**
 * `archive repair`: lists what an archive has lost. With `--yes` the primary begins the manifest anew with the files that are
 * left; without it nothing changes, because the files may still be put back from a copy.
 */
import type { Command } from 'commander'
import { pointText } from '../../shared/archive/restore-plan.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ArchiveRepairAnswer, ArchiveRepairPlace } from '../../shared/protocol/archive-repair.ts'
import { addHelp } from '../arguments/help.ts'
import { adminOf, profileOf } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `archive repair`. The primary does the work, because it is the archive's only writer and has the log. */
export function addArchiveRepair(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('repair')
    .description('show what the archive has lost; with --yes the primary begins its manifest anew with what is left')
    .option('--yes', 'give up what is listed as lost: repair the archive, and clear the alarm of an earlier repair')
  command.action(async ({ yes = false }: { readonly yes?: boolean }, own: Command) => {
    const profile = profileOf(own, terminal.env)
    const ask = (confirm: boolean): Promise<unknown> =>
      adminOf(profile)(profile.primary, (call) => call('archive.repair', { confirm }))
    // The answer comes from the pinned node; its shape is the protocol's.
    const { places } = (await ask(yes)) as ArchiveRepairAnswer
    const lines = places.flatMap(linesOf)
    // A place may be whole now and still have an alarm of an earlier repair, which `--yes` clears.
    const isDue = places.some(({ wound, repaired }) => wound !== null || repaired !== '')
    if (isDue && !yes) throw unconfirmed(lines)
    const next = '`macaroond status` shows the archive; the primary repairs it at once'
    const said = isDue ? [...lines, next] : ['nothing is lost, and nothing was repaired']
    terminal.answer({ asked: isDue, places }, said, { what: 'asked the primary for the repair', next })
  })
  addHelp(command, {
    examples: ['macaroond archive repair', 'macaroond archive repair --yes'],
    json: ['{"asked", "places": [{"location", "wound": {"problems", "filesLost", "restorable"} | null, "repaired"}]}'],
    exit: '2 when something is lost and --yes is not given',
  })
}

/** All that was found out about one place of the archive: an earlier repair, the damage, and what can still be restored. */
function linesOf({ location, wound, repaired }: ArchiveRepairPlace): readonly string[] {
  const before = repaired === '' ? [] : [`${location}: repaired before: ${repaired}`]
  if (wound === null) return before
  const { problems, filesLost, restorable } = wound
  const files =
    filesLost === 0
      ? []
      : [`${location}: ${filesLost} files are lost: they are missing, or only entries that do not count name them`]
  const ranges = restorable.map(
    ({ first, last }) => `${location}: can still be restored: from ${pointText(first)} to ${pointText(last)}`,
  )
  return [...before, ...problems.map((problem) => `${location}: lost: ${problem}`), ...files, ...ranges]
}

/** The error repeats every loss, so that an operator sees what `--yes` would give up. */
function unconfirmed(lines: readonly string[]): MacaroondError {
  return new MacaroondError('repair_unconfirmed', lines.join('; '), {
    hint: 'put the lost files back from a copy of the archive; or give --yes to give them up, then the primary uploads a snapshot',
  })
}
