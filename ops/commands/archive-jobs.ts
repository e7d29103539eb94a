/** `archive snapshot` and `archive compact`: ask the primary to run a scheduled job of its archiver now. */
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Profile } from '../../shared/config/profile.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { DestinationStatus } from '../../shared/protocol/status.ts'
import { addHelp } from '../arguments/help.ts'
import { adminOf, askStatus, profileOf } from '../clients.ts'
import type { ReportProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'

/** The primary is the archive's only writer, so these commands only send it a request. */
export function addArchiveJobs(parent: Command, terminal: Terminal): void {
  const snapshot = addJob(parent, terminal, {
    name: 'snapshot',
    description: 'ask the primary to archive its whole database now',
  })
  snapshot.option('--wait', 'wait until the snapshot is in the archive and in each of its copies')
  addJob(parent, terminal, {
    name: 'compact',
    description: 'ask the primary to merge files into higher levels, and delete what retention allows',
  })
}

/** Adds one of the two commands. Without `--wait` their answer means only that the job is due: an archive may take minutes. */
function addJob(
  parent: Command,
  terminal: Terminal,
  { name, description }: { readonly name: string; readonly description: string },
): Command {
  const command = parent
    .command(name)
    .description(description)
    .action(async ({ wait = false }: { readonly wait?: boolean }, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const before = wait ? await placesOf(profile) : []
      await adminOf(profile)(profile.primary, (call) => call(`archive.${name}`, {}))
      if (wait) await terminal.during('archiving a snapshot', (report) => untilDone(profile, before, report))
      const text = wait
        ? 'the snapshot is in the archive'
        : 'the primary starts as soon as nothing waits for upload; `macaroond status --json` shows its alerts'
      terminal.answer({ asked: true, ...(wait && { done: true }) }, text, {
        what: `asked the primary for a ${name} job`,
        next: '`macaroond status` shows it',
      })
    })
  const json = name === 'snapshot' ? '{"asked": true, "done"?: true, with --wait}' : '{"asked": true}'
  addHelp(command, { examples: [`macaroond archive ${name}`], json: [json] })
  return command
}

const POLL_MS = 500

/** The archive and its copies. Throws the errors of the call. */
async function placesOf(profile: Profile): Promise<readonly DestinationStatus[]> {
  const status = await askStatus(profile, profile.primary)
  if (status.role !== 'primary' || status.archive === null) return []
  return [status.archive, ...status.archive.copies]
}

/** Throws archive_unavailable if the job fails. A job that is late only waits for its turn. */
async function untilDone(
  profile: Profile,
  before: readonly DestinationStatus[],
  report: ReportProgress,
): Promise<void> {
  const earlier = new Map(before.map((place) => [place.location, doneAt(place)]))
  for (;;) {
    const places = await placesOf(profile)
    const failing = places.flatMap(({ alerts }) => alerts).find((alert) => alert.startsWith('snapshot fails'))
    if (failing !== undefined)
      throw new MacaroondError('archive_unavailable', failing, { hint: 'the primary tries again; `status` shows it' })
    const waiting = places.filter((place) => doneAt(place) === earlier.get(place.location))
    if (waiting.length === 0) return
    report(waiting.map(({ location, lag }) => `${location}${lag > 0 ? ` ${lag} transactions behind` : ''}`).join(', '))
    await setTimeout(POLL_MS)
  }
}

function doneAt({ jobs }: DestinationStatus): number | null {
  return jobs.find(({ job }) => job === 'snapshot')?.doneAtMs ?? null
}
