/**
 * `macaroond repair`: rebuilds the damaged database of a stopped primary from its disk, its archive and its replicas. The work
 * is done in `ops/repair`; this file has the options and the answer.
 */
import type { Command } from 'commander'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { parsePosition } from '../../shared/position.ts'
import { noAuthorityKey } from '../arguments/authority-key.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { runningCluster, profileOf } from '../clients.ts'
import { bytesText, type ReportProgress } from '../progress.ts'
import { previewDocument } from '../restore/report.ts'
import type { RepairOptions } from '../repair/repair.ts'
import type { Terminal } from '../terminal.ts'
import { confirmation, type ConfirmingOptions, authorityKey } from './restore.ts'

/** The options of `repair`. */
interface Options extends ConfirmingOptions {
  readonly config: string
  readonly key?: string
  readonly newest?: string
  readonly acceptClock?: true
}

/** Adds `macaroond repair`. A profile is required, because the replicas know revocations that the disk may have lost. */
export function addRepair(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('repair')
    .description('repair a stopped primary’s damaged database from its log, its archive and its replicas')
  mandatory(
    command,
    '--config <file>',
    'the primary’s configuration (TOML), which names its data folder and its archive',
  )
  command
    .option('--key <key>', 'the authority’s public key, 64 hex digits or a file (default: the profile’s authority_key)')
    .option('--newest <position>', 'the newest position you know of, which reveals an old copy of the archive')
    .option('--dry-run', 'show what would be done, and change nothing')
    .option('--yes', 'go on although something that is known to exist was not read or is not believed')
    .option('--accept-head', 'go on although no witness confirms that the newest state was read')
    .option(
      '--accept-clock',
      'confirm that this machine’s clock is right, although the repaired database is of a later time',
    )
  command.action(async (options: Options, own: Command) => run(options, profileOf(own, terminal.env), terminal))
  addHelp(command, {
    examples: [
      'macaroond repair --config primary.toml --profile operator.toml --dry-run',
      'macaroond repair --config primary.toml --profile operator.toml',
    ],
    json: [
      '{"result": "repaired", "file", "aside", "pages", …} and the other members as `restore` prints them; "aside" is the folder of the damaged files;',
      '{"result": "finished", "aside"}: a repair that was interrupted is finished; {"result": "sound"}: nothing is damaged',
    ],
    exit: '1 when no source has the pages, 2 when it needs --yes or --accept-head, 5 while the primary runs',
  })
}

async function run(options: Options, profile: Profile, terminal: Terminal): Promise<void> {
  const [{ repair }, { repairDocument, repairLines }] = await Promise.all([
    import('../repair/repair.ts'),
    import('../repair/report.ts'),
  ])
  const { confirm, shown } = confirmation(options, terminal)
  const places = await placesOf(options, profile)
  const work = (report: ReportProgress): ReturnType<typeof repair> =>
    repair({
      ...places,
      publicKey: authorityKey(options, profile),
      running: runningCluster(profile),
      newest: options.newest === undefined ? undefined : parsePosition(options.newest),
      acceptClock: options.acceptClock === true,
      clock: systemClock,
      entropy: systemEntropy,
      onProgress: (done, all) => report(bytesText(done, all)),
      confirm,
    })
  const repaired = await terminal.during('repairing', work)
  const preview = shown()
  if (repaired === undefined)
    return terminal.answer({ result: null, file: null, ...(preview && previewDocument(preview)) }, [])
  terminal.answer(repairDocument(repaired), repairLines(repaired), {
    what: `the repair ended: ${repaired.kind}`,
    next: 'start the primary',
  })
}

/** The primary's own places, from its configuration. The archive is opened later, when the data folder is locked. */
async function placesOf(options: Options, profile: Profile): Promise<Pick<RepairOptions, 'data' | 'openArchive'>> {
  const [{ readPrimaryConfig }, { archiveLocation }, { openSigned }] = await Promise.all([
    import('../../primary/main.ts'),
    import('../../primary/archiver/open-archiver.ts'),
    import('../restore/source.ts'),
  ])
  const config = readPrimaryConfig(options.config)
  const location = archiveLocation(config)
  if (location === undefined) return { data: config.data, openArchive: undefined }
  const publicKey = authorityKey(options, profile)
  if (publicKey === undefined) throw noAuthorityKey()
  return { data: config.data, openArchive: () => openSigned(location, publicKey) }
}
