import type { Command } from 'commander'
import { verifyArchive } from '../../shared/archive/verify-archive.ts'
import { positionText } from '../../shared/position.ts'
import { archiveOptions, readArchive, type ArchiveOptions } from '../arguments/archive-options.ts'
import { explain } from '../arguments/explain.ts'
import { optionalProfileOf } from '../clients.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import type { Terminal } from '../terminal.ts'

export function addArchiveVerify(parent: Command, terminal: Terminal): void {
  const command = archiveOptions(
    parent.command('verify').description('check the manifest’s signatures and every byte of every file it names'),
  )
  command.action(async (options: ArchiveOptions, own: Command) => {
    const { storage, manifest } = await readArchive(options, optionalProfileOf(own, terminal.env))
    const { files, head } = manifest
    let done = 0
    const onFile = (): void => terminal.progress(`${(done += 1)} of ${files.size} files`)
    const verified = await verifyArchive(storage, [...files.values()], onFile)
    terminal.progress('')
    const { bad, unlisted, bytes } = verified
    if (bad.length > 0) terminal.status = EXIT_FAILED
    const position = head === undefined ? null : positionText(head)
    const lines = [
      `${files.size} files, ${bytes} bytes, up to ${position ?? 'nothing'}: ${bad.length === 0 ? 'all as they were archived' : `${bad.length} BAD`}`,
      ...bad.map(({ problem }) => `BAD ${problem}`),
      ...unlisted.map((key) => `not in the manifest, and read by nothing: ${key}`),
    ]
    terminal.answer({ ok: bad.length === 0, position, ...verified }, lines)
  })
  explain(command, {
    examples: ['macaroond archive verify --archive ./primary-archive --key authority.key'],
    json: [
      '{"ok", "position", "files", "bytes", "bad": [{"key", "problem"}], "unlisted"}; bad is in the order of transactions',
    ],
    exit: '1 when a file or the manifest is not what was archived',
  })
}
