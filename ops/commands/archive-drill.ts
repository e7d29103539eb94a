/**
 * `archive drill`: restores a random transaction of an archive into a scratch file and compares checksums. It shows that the
 * archive can be restored, which checking its files alone does not.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { drill } from '../../primary/archiver/drill/drill.ts'
import { pointText } from '../../shared/archive/restore-plan.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { archiveOptions, readArchive, type ArchiveOptions } from '../arguments/archive-options.ts'
import { addHelp } from '../arguments/help.ts'
import { optionalProfileOf } from '../clients.ts'
import { bytesText, type ReportProgress } from '../progress.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `archive drill`. Without `--config` it compares pages only, because a root key opens only with a node's KEK. */
export function addArchiveDrill(parent: Command, terminal: Terminal): void {
  const command = archiveOptions(
    parent
      .command('drill')
      .description('restore a random past transaction into a scratch file, and compare its checksum'),
  )
  command.option(
    '--config <file>',
    'the primary’s configuration: the drill then also opens a root key with its key-encryption key',
  )
  command.action(async (options: ArchiveOptions & { readonly config?: string }, own: Command) => {
    const profile = optionalProfileOf(own, terminal.env)
    const read = (): ReturnType<typeof readArchive> => readArchive(options, profile)
    const { storage, manifest } = await terminal.during('reading the manifest', read)
    const folder = temporaryFolder('drill')
    try {
      const ring = await ringOf(options.config)
      const work = (report: ReportProgress): ReturnType<typeof drill> =>
        drill({
          storage,
          files: [...manifest.files.values()],
          cluster: manifest.cluster ?? '',
          ring,
          // A random transaction: repeated drills then cover the whole history, old files included.
          draw: systemEntropy.uniform(),
          path: join(folder, 'drill.db'),
          nowMs: systemClock.wallMs(),
          onProgress: (done, all) => report(bytesText(done, all)),
        })
      const drilled = await terminal.during('restoring into a scratch file', work)
      const key = drilled.keyUnsealed ? ', and a root key opens' : '; give --config to also open a root key'
      const line = `restored ${pointText(drilled)} from ${drilled.files} files: as it was committed${key}`
      terminal.answer({ ok: true, ...drilled }, line)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
  addHelp(command, {
    examples: ['macaroond archive drill --archive ./primary-archive --config primary.toml --key authority.key'],
    json: ['{"ok": true, "txid", "timestampMs", "files", "bytes", "keyUnsealed"}'],
    exit: '1 when the restored database differs from what was committed',
  })
}

/** The KEKs to try, newest first. Older snapshots are sealed with earlier keys. */
async function ringOf(config: string | undefined): ReturnType<typeof load> {
  return config === undefined ? [] : load(config)
}

/** Imported here, because only a drill with `--config` needs the primary's modules. */
async function load(config: string): Promise<Parameters<typeof drill>[0]['ring']> {
  const [{ readPrimaryConfig }, { loadKeks }] = await Promise.all([
    import('../../primary/main.ts'),
    import('../../shared/config/kek.ts'),
  ])
  const { kek, previousKeks } = await loadKeks(readPrimaryConfig(config).kek, config, process.env)
  return [kek, ...previousKeks]
}
