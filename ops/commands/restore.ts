/**
 * `macaroond restore`: makes a new database file from an archive or a replica's copy, at any past transaction, with all
 * revocations since. The work is done in `ops/restore`; this file has the options, what the operator confirms, and the answer.
 */
import type { Command } from 'commander'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { assert, MacaroondError } from '../../shared/errors.ts'
import { parsePosition } from '../../shared/position.ts'
import { hexKey, noAuthorityKey, parseAuthorityKey } from '../arguments/authority-key.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { addUtc, MOMENT_FORMS, readMoment, type MomentOptions } from '../arguments/moments.ts'
import { parseTarget } from '../arguments/restore-target.ts'
import { runningCluster, optionalProfileOf } from '../clients.ts'
import { bytesText, type ReportProgress } from '../progress.ts'
import { requireConfirmed } from '../restore/confirmations.ts'
import { previewLines } from '../restore/report.ts'
import type { Preview, RestoreOptions } from '../restore/restore.ts'
import type { ArchiveSource } from '../restore/source.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `restore`. */
interface Options extends ConfirmingOptions, MomentOptions {
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

/** The options with which an operator confirms what a restore cannot decide. `repair` has the same. */
export interface ConfirmingOptions {
  readonly withoutRevocations?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly acceptHead?: true
}

/** Adds `macaroond restore`. A profile is optional, because an archive must be restorable when every node is lost. */
export function addRestore(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('restore')
    .description('make a database as it was after any past transaction, with every revocation since then')
    .option('--archive <place>', 'the archive: a directory, or s3://BUCKET/FOLDER')
    .option(
      '--from-replica <folder>',
      'the data folder of a stopped replica; with --archive it is compared with the archive',
    )
    .option('--at <time>', `the state at this time (default: the newest): ${MOMENT_FORMS}`)
    .option('--txid <number>', 'the state after this transaction, decimal or 16 hex digits')
    .option('--key <key>', 'the authority’s public key, 64 hex digits or a file (default: the profile’s authority_key)')
    .option('--unsigned', 'trust an archive that has no manifest, such as one that litestream wrote')
    .option('--old-data <folder>', 'data folder of the old primary: its revocations are carried over')
    .option('--newest <position>', 'the newest position you know of, which reveals an old copy of the archive')
    .option('--without-revocations', 'DANGEROUS: tokens that were revoked after that time become valid again')
    .option('--dry-run', 'show what would be done, and change nothing')
    .option(
      '--yes',
      'go on although something that is known to exist was not read or is not believed, or revocations are left out',
    )
    .option('--accept-head', 'go on although no witness confirms that the newest state was read')
    .option(
      '--accept-clock',
      'confirm that this machine’s clock is right, although the restored database is of a later time',
    )
  mandatory(command, '--output <file>', 'the new database; never overwritten')
  addUtc(command)
  command.action(async (options: Options, own: Command) => run(options, optionalProfileOf(own, terminal.env), terminal))
  addHelp(command, {
    examples: [
      'macaroond restore --archive ./primary-archive --at "2 hours ago" --output restored.db --dry-run',
      'macaroond restore --archive ./primary-archive --at 2026-11-01T12:00:05.250Z --output restored.db',
      'macaroond restore --archive ./primary-archive --txid 1200 --output restored.db --key authority.key',
      'macaroond restore --from-replica ./replica-fra --output restored.db',
    ],
    json: [
      '{"file", "plan": {"txid", "timestampMs", "files", "bytes", "estimatedSeconds", "next", "grain"} | null,',
      ' "carried": {"revocations": <added>, "there": <already there>, "known": <in all>, "sources": [{"from", "known", "carried"}]} | null, "unread", "remarks",',
      ' "head": {"witnessed", "by" | "why"} | null, "waiting": [{"from", "revocations"}], "refusing": [{"from", "revocations"}],',
      ' "begun": {"epoch", "timeline", "txid", "owed"} | null}; a dry run has no "begun", and "file" is null',
      'grain: "newest"; "transaction" if the next state that can be restored is the next transaction; else "merged"',
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
  const { confirm, shown } = confirmation(options, terminal)
  const from = await terminal.during('reading the manifest of the archive', () => sourceOf(options, profile, terminal))
  const work = (report: ReportProgress): ReturnType<typeof restore> =>
    restore({
      from,
      publicKey: authorityKey(options, profile),
      output,
      running: profile === undefined ? undefined : runningCluster(profile),
      oldData,
      newest: options.newest === undefined ? undefined : parsePosition(options.newest),
      withoutRevocations,
      acceptClock: options.acceptClock === true,
      clock: systemClock,
      entropy: systemEntropy,
      onProgress: (done, all) => report(bytesText(done, all)),
      confirm,
    })
  const restored = await terminal.during('restoring', work)
  if (restored !== undefined)
    return terminal.answer(restoredDocument(restored, output), restoredLines(restored, output), {
      what: `restored ${output}`,
      next: 'the file is complete; `--dry-run` with the same options prints again what is in it',
    })
  const preview = shown()
  if (preview !== undefined) terminal.answer({ file: null, ...previewDocument(preview) }, [])
}

/**
 * `confirm` prints the preview of a restore and checks that the options confirm all it needs. `shown` returns the preview
 * that was printed, for a dry run's answer.
 */
export function confirmation(
  options: ConfirmingOptions,
  terminal: Terminal,
): { readonly confirm: RestoreOptions['confirm']; readonly shown: () => Preview | undefined } {
  const { dryRun = false, yes = false, acceptHead = false, withoutRevocations = false } = options
  let shown: Preview | undefined
  const confirm = (preview: Preview): boolean => {
    shown = preview
    if (!terminal.json) for (const line of previewLines(preview)) terminal.say(line)
    if (dryRun) return false
    if (withoutRevocations)
      terminal.say(
        'WARNING: tokens that were revoked after this time will be valid again; replicas accept them after `revocations forget`',
      )
    requireConfirmed(preview, { yes, acceptHead, withoutRevocations })
    return true
  }
  return { confirm, shown: () => shown }
}

/** The source and the target state. Throws usage, and the errors of opening an archive. */
async function sourceOf(
  options: Options,
  profile: Profile | undefined,
  terminal: Terminal,
): Promise<RestoreOptions['from']> {
  const { archive, fromReplica, at, txid } = options
  if (archive === undefined && fromReplica === undefined) {
    throw new MacaroondError('usage', 'a restore needs a source', { hint: 'give --archive, or --from-replica' })
  }
  const target = parseTarget({ at, txid }, (text) => readMoment('--at', text, options, terminal))
  const opened = archive === undefined ? undefined : await openSource(archive, options, profile)
  if (fromReplica !== undefined) {
    if (target.kind === 'head') return { replica: fromReplica, comparedWith: opened }
    throw new MacaroondError('usage', 'a replica has only its newest state: --at and --txid need an archive')
  }
  assert(opened !== undefined, 'without a replica there is an archive')
  return { archive: opened, target }
}

/** Opens the archive, checked with the authority's key unless the operator gave `--unsigned`. */
async function openSource(archive: string, options: Options, profile: Profile | undefined): Promise<ArchiveSource> {
  const { openSigned, openUnsigned } = await import('../restore/source.ts')
  if (options.unsigned === true) return openUnsigned(archive)
  const key = authorityKey(options, profile)
  if (key === undefined) throw noAuthorityKey()
  return openSigned(archive, key)
}

/** The authority's public key, from the operator and never from the source of the restore. */
export function authorityKey({ key }: Pick<Options, 'key'>, profile: Profile | undefined): Uint8Array | undefined {
  return key === undefined ? hexKey(profile?.authority_key ?? '') : parseAuthorityKey(key)
}
