/**
 * `archive list`: shows the files of an archive by level, and the range of transactions that can be restored. It works on a
 * damaged archive too, and names the damage.
 */
import type { Command } from 'commander'
import { type ArchivedFile, LEVEL_COMMITTED } from '../../shared/archive/layout.ts'
import { pointText, restorableWindow } from '../../shared/archive/restore-plan.ts'
import { archiveOptions, readDamagedArchive, type ArchiveOptions } from '../arguments/archive-options.ts'
import { addHelp } from '../arguments/help.ts'
import { optionalProfileOf } from '../clients.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import { table, type Terminal } from '../terminal.ts'

/** Adds `archive list`. It reads names and the manifest, never the files, so it is quick on an archive of any size. */
export function addArchiveList(parent: Command, terminal: Terminal): void {
  const command = archiveOptions(
    parent.command('list').description('list what the archive contains and what can be restored'),
  )
  command.option('--files', 'list every file, not only the levels')
  command.action(async (options: ArchiveOptions & { readonly files?: true }, own: Command) => {
    const { manifest, problems } = await readDamagedArchive(options, optionalProfileOf(own, terminal.env))
    const files = [...manifest.files.values()].toSorted((a, b) => a.level - b.level || a.minTxid - b.minTxid)
    const window = restorableWindow(files) ?? null
    const { cluster, epoch } = manifest
    const levels = levelsOf(files)
    const listed = options.files === true ? { files: files.map(describe) } : {}
    // The list is still printed: an operator needs it most when the archive is damaged.
    if (problems.length > 0) terminal.status = EXIT_FAILED
    const lines = [
      ...problems.map((problem) => `BAD ${problem}`),
      window === null ? 'nothing can be restored yet' : `from ${pointText(window.first)} to ${pointText(window.last)}`,
      ...table([['LEVEL', 'FILES', 'BYTES'], ...levels.map((row) => [row.level, row.files, row.bytes].map(String))]),
      ...(options.files === true ? files.map(({ key, bytes }) => `${key}  ${bytes}`) : []),
    ]
    terminal.answer(
      {
        cluster: cluster ?? null,
        epoch: epoch ?? null,
        window,
        exactSinceMs: exactSince(files),
        levels,
        ...listed,
        manifest: problems,
      },
      lines,
    )
  })
  addHelp(command, {
    examples: ['macaroond archive list --archive ./primary-archive --key authority.key'],
    json: [
      '{"cluster", "epoch", "window": {"first": {"txid", "timestampMs"}, "last"} | null, "exactSinceMs", "levels": [{"level", "files", "bytes"}], "files"?, "manifest": [<problem>]}',
      'exactSinceMs: from this time on every single transaction can be restored; null for none',
    ],
  })
}

/** Files and bytes for each level: 0 as committed, higher levels merged, 9 snapshots. */
function levelsOf(files: readonly ArchivedFile[]): readonly { level: number; files: number; bytes: number }[] {
  const groups = Map.groupBy(files, ({ level }) => level)
  return [...groups].map(([level, some]) => ({
    level,
    files: some.length,
    bytes: some.reduce((sum, { bytes }) => sum + bytes, 0),
  }))
}

/** The time of the oldest file with a single transaction. Older transactions are merged, so only some can be restored. */
function exactSince(files: readonly ArchivedFile[]): number | null {
  return files.find(({ level }) => level === LEVEL_COMMITTED)?.timestampMs ?? null
}

function describe({ key, bytes, timestampMs, sha256 }: ArchivedFile): object {
  return { key, bytes, timestampMs, sha256 }
}
