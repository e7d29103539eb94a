import type { Command } from 'commander'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { parsePosition } from '../../shared/position.ts'
import { hexKey, noAuthorityKey, parseAuthorityKey } from '../arguments/authority-key.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { parseTarget } from '../arguments/restore-target.ts'
import { askedCluster, optionalProfileOf } from '../clients.ts'
import { requireAnswers } from '../restore/questions.ts'
import { previewLines } from '../restore/report.ts'
import type { Preview, RestoreOptions } from '../restore/restore.ts'
import type { ArchiveSource } from '../restore/source.ts'
import type { Terminal } from '../terminal.ts'

interface Options extends AskingOptions {
  readonly archive?: string
  readonly fromReplica?: string
  readonly at?: string
  readonly txid?: string
  readonly output: string
  readonly key?: string
  readonly unsigned?: true
  readonly oldData?: string
  readonly newest?: string
  readonly acceptClock?: true
}

/** How an operator answers what a restore asks. */
export interface AskingOptions {
  readonly withoutRevocations?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly acceptHead?: true
}

export function addRestore(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('restore')
    .description('make a database as it was at any past transaction, with every revocation since')
    .option('--archive <place>', 'the archive: a directory, or s3://BUCKET/FOLDER')
    .option(
      '--from-replica <folder>',
      'the data folder of a stopped replica; with --archive it is compared with that one',
    )
    .option('--at <time>', 'state at a moment: 2026-11-25T14:00:00Z, or "2 hours ago" (default: the newest)')
    .option('--txid <number>', 'state after a transaction, decimal or 16 hex digits')
    .option('--key <key>', 'the authority’s public key, 64 hex digits or a file (default: the profile’s authority_key)')
    .option('--unsigned', 'believe an archive that has no manifest, such as one that litestream wrote')
    .option('--old-data <folder>', 'data folder of the old primary: what it knew of revocations is kept')
    .option('--newest <position>', 'the newest position you know of, to notice an old copy of the archive')
    .option('--without-revocations', 'DANGEROUS: tokens that were revoked after that moment are good again')
    .option('--dry-run', 'everything but the result: shows what would be done, and changes nothing')
    .option('--yes', 'go on although something known is not read or not believed, or revocations are left out')
    .option('--accept-head', 'go on although nobody who was read saw the newest state')
    .option('--accept-clock', 'this machine’s clock is right, although what is restored is of a later time')
  mandatory(command, '--output <file>', 'the new database; never overwritten')
  command.action(async (options: Options, own: Command) => run(options, optionalProfileOf(own, terminal.env), terminal))
  addHelp(command, {
    examples: [
      'macaroond restore --archive ./primary-archive --at "2 hours ago" --output restored.db --dry-run',
      'macaroond restore --archive ./primary-archive --txid 1200 --output restored.db --key authority.key',
      'macaroond restore --from-replica ./replica-fra --output restored.db',
    ],
    json: [
      '{"file", "plan": {"txid", "timestampMs", "files", "bytes", "estimatedSeconds", "next", "grain"} | null,',
      ' "carried": {"revocations", "sources": [{"from", "known", "carried"}]} | null, "unread", "remarks",',
      ' "head": {"witnessed", "by" | "why"} | null, "waiting": [{"from", "revocations"}], "refusing": [{"from", "revocations"}],',
      ' "begun": {"epoch", "timeline", "txid"} | null}; a dry run has no "begun", and "file" is null',
      'grain: "transaction" where the next state is the next transaction, "merged" where it is not, "newest"',
    ],
    exit: '1 when the archive is damaged or does not have that state, 2 when it needs --yes or --accept-head, 5 when the file exists',
  })
}

async function run(options: Options, profile: Profile | undefined, terminal: Terminal): Promise<void> {
  const [{ restore }, { previewDocument, restoredDocument, restoredLines }] = await Promise.all([
    import('../restore/restore.ts'),
    import('../restore/report.ts'),
  ])
  const { output, oldData, withoutRevocations = false } = options
  const { confirm, shown } = asking(options, terminal)
  const restored = await restore({
    from: await sourceOf(options, profile),
    publicKey: keyOf(options, profile),
    output,
    asked: profile === undefined ? undefined : askedCluster(profile),
    oldData,
    newest: options.newest === undefined ? undefined : parsePosition(options.newest),
    withoutRevocations,
    acceptClock: options.acceptClock === true,
    clock: systemClock,
    entropy: systemEntropy,
    onProgress: (done, all) => terminal.progress(bar(done, all)),
    confirm,
  })
  if (restored !== undefined)
    return terminal.answer(restoredDocument(restored, output), restoredLines(restored, output), {
      what: `restored ${output}`,
      next: 'the file is whole; `--dry-run` with the same options says again what is in it',
    })
  const preview = shown()
  if (preview !== undefined) terminal.answer({ file: null, ...previewDocument(preview) }, [])
}

/** Shows the operator what a restore would do, and asks what has to be asked; then `shown` gives what was seen. */
export function asking(
  options: AskingOptions,
  terminal: Terminal,
): { readonly confirm: RestoreOptions['confirm']; readonly shown: () => Preview | undefined } {
  const { dryRun = false, yes = false, acceptHead = false, withoutRevocations = false } = options
  let shown: Preview | undefined
  const confirm = (preview: Preview): boolean => {
    shown = preview
    terminal.progress('')
    if (!terminal.json) for (const line of previewLines(preview)) terminal.say(line)
    if (dryRun) return false
    if (withoutRevocations)
      terminal.say(
        'WARNING: tokens that were revoked after this moment will be good again, at replicas once `revocations forget` says so',
      )
    requireAnswers(preview, { yes, acceptHead, withoutRevocations })
    return true
  }
  return { confirm, shown: () => shown }
}

async function sourceOf(options: Options, profile: Profile | undefined): Promise<RestoreOptions['from']> {
  const { archive, fromReplica, at, txid } = options
  if (archive === undefined && fromReplica === undefined) {
    throw new MacaroondError('usage', 'a restore has a source', { hint: 'give --archive, or --from-replica' })
  }
  const target = parseTarget({ at, txid }, systemClock.wallMs())
  const opened = archive === undefined ? undefined : await opening(archive, options, profile)
  if (fromReplica !== undefined) {
    if (target.kind === 'head') return { replica: fromReplica, comparedWith: opened }
    throw new MacaroondError('usage', 'a replica has its newest state only: --at and --txid need an archive')
  }
  assert(opened !== undefined, 'without a replica there is an archive')
  return { archive: opened, target }
}

async function opening(archive: string, options: Options, profile: Profile | undefined): Promise<ArchiveSource> {
  const { openSigned, openUnsigned } = await import('../restore/source.ts')
  if (options.unsigned === true) return openUnsigned(archive)
  const key = keyOf(options, profile)
  if (key === undefined) throw noAuthorityKey()
  return openSigned(archive, key)
}

/** It comes from the operator, never from what is restored. */
export function keyOf({ key }: Pick<Options, 'key'>, profile: Profile | undefined): Uint8Array | undefined {
  return key === undefined ? hexKey(profile?.authority_key ?? '') : parseAuthorityKey(key)
}

const BAR_CHARS = 30

function bar(done: number, all: number): string {
  const share = all === 0 ? 1 : Math.min(1, done / all)
  const full = Math.round(share * BAR_CHARS)
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CHARS - full)}] ${Math.round(share * 100)} %`
}
