/**
 * `archive verify`: checks the manifest's signatures and every byte of every file of an archive, and reports all damage, not
 * only the first.
 */
import type { Command } from 'commander'
import { pointText } from '../../shared/archive/restore-plan.ts'
import { type Verified, verifyArchive } from '../../shared/archive/verify-archive.ts'
import { positionText } from '../../shared/position.ts'
import { archiveOptions, readDamagedArchive, type ArchiveOptions } from '../arguments/archive-options.ts'
import { addHelp } from '../arguments/help.ts'
import { optionalProfileOf } from '../clients.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import { countText } from '../progress.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `archive verify`. It reads the whole archive, which can take long, so it shows its progress. */
export function addArchiveVerify(parent: Command, terminal: Terminal): void {
  const command = archiveOptions(
    parent
      .command('verify')
      .description(
        'check the manifest’s signatures and every byte of every file it names; report all damage, and what can be restored',
      ),
  )
  command.action(async (options: ArchiveOptions, own: Command) => {
    const profile = optionalProfileOf(own, terminal.env)
    const read = (): ReturnType<typeof readDamagedArchive> => readDamagedArchive(options, profile)
    const { storage, manifest, problems } = await terminal.during('reading the manifest', read)
    const { files, head } = manifest
    const verified = await terminal.during('checking', (report) => {
      let done = 0
      const onFile = (): void => report(countText((done += 1), files.size, 'files'))
      return verifyArchive(storage, [...files.values()], onFile)
    })
    const { bad, unlisted, restorable } = verified
    const ok = bad.length === 0 && problems.length === 0
    if (!ok) terminal.status = EXIT_FAILED
    const position = head === undefined ? null : positionText(head)
    const lines = [
      summaryOf(verified, position, problems.length + bad.length),
      ...problems.map((problem) => `BAD ${problem}`),
      ...bad.map(({ problem }) => `BAD ${problem}`),
      ...unlisted.map((key) => `not in the manifest, so no restore reads it: ${key}`),
      ...(ok ? [] : adviceOf(restorable, problems.length > 0)),
    ]
    terminal.answer({ ok, position, manifest: problems, ...verified }, lines)
  })
  addHelp(command, {
    examples: ['macaroond archive verify --archive ./primary-archive --key authority.key'],
    json: [
      '{"ok", "position", "manifest": [<problem>], "files", "bytes", "bad": [{"key", "problem"}], "unlisted",',
      ' "restorable": [{"first": {"txid", "timestampMs"}, "last"}]}; bad is in the order of transactions',
    ],
    exit: '1 when a file or the manifest differs from what was archived',
  })
}

function summaryOf({ files, bytes }: Verified, position: string | null, wrong: number): string {
  const outcome = wrong === 0 ? 'all as they were archived' : `${wrong} BAD`
  return `${files} files, ${bytes} bytes, up to ${position ?? 'nothing'}: ${outcome}`
}

/** The next commands for an archive that is damaged. */
function adviceOf(restorable: Verified['restorable'], isManifestBad: boolean): readonly string[] {
  const ranges = restorable.map(({ first, last }) => `can be restored: from ${pointText(first)} to ${pointText(last)}`)
  const command = '`macaroond restore --archive … --txid NUMBER` restores any of it'
  return [
    ...(ranges.length === 0 ? ['nothing can be restored from it'] : [...ranges, command]),
    ...(isManifestBad ? ['`macaroond archive repair` makes the primary begin the manifest anew'] : []),
  ]
}
