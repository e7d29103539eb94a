/** The options `--archive` and `--key`, shared by every command that reads an archive, and the reading itself. */
import type { Command } from 'commander'
import type { ManifestState } from '../../shared/archive/manifest-state.ts'
import { readManifest } from '../../shared/archive/read-chain.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { salvageManifest } from '../../shared/archive/salvage.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { hexKey, noAuthorityKey, parseAuthorityKey } from './authority-key.ts'
import { mandatory } from './options.ts'

/** The values of `--archive` and `--key`. */
export interface ArchiveOptions {
  readonly archive: string
  readonly key?: string
}

/** Adds `--archive` and `--key` to a command. */
export function archiveOptions(command: Command): Command {
  mandatory(command, '--archive <place>', 'the archive: a directory, or s3://BUCKET/FOLDER')
  return command.option('--key <key>', 'the authority’s public key, 64 hex digits or a file (default: the profile’s)')
}

/** An archive whose manifest was read. */
interface Read {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestState
}

/** Reads the whole manifest and checks it. Throws archive_missing, archive_damaged, and usage if no key is given. */
export async function readArchive(options: ArchiveOptions, profile: Profile | undefined): Promise<Read> {
  const { storage, publicKey } = await open(options, profile)
  return { storage, manifest: await readManifest(storage, publicKey) }
}

/**
 * Reads as much as possible of a manifest that may be damaged. `problems` says in words what is wrong with it. Throws the
 * errors of `readArchive` if nothing can be read.
 */
export async function readDamagedArchive(
  options: ArchiveOptions,
  profile: Profile | undefined,
): Promise<Read & { readonly problems: readonly string[] }> {
  const { storage, publicKey } = await open(options, profile)
  const { state, problems } = await salvageManifest(storage, publicKey)
  return { storage, manifest: state, problems }
}

async function open(
  { archive, key }: ArchiveOptions,
  profile: Profile | undefined,
): Promise<{ readonly storage: ArchiveStorage; readonly publicKey: Uint8Array }> {
  const publicKey = key === undefined ? hexKey(profile?.authority_key ?? '') : parseAuthorityKey(key)
  if (publicKey === undefined) throw noAuthorityKey()
  // A command does nothing else meanwhile, so it may read files without yielding, which is faster. A running node must not.
  return { storage: await openArchive(archive, { blocking: true }), publicKey }
}
