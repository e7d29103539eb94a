/** The options that name an archive and the key to check it with: the same for every command that reads one. */
import type { Command } from 'commander'
import type { ManifestState } from '../../shared/archive/manifest-state.ts'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { salvageManifest } from '../../shared/archive/salvage.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { hexKey, noAuthorityKey, parseAuthorityKey } from './authority-key.ts'
import { mandatory } from './options.ts'

export interface ArchiveOptions {
  readonly archive: string
  readonly key?: string
}

export function archiveOptions(command: Command): Command {
  mandatory(command, '--archive <place>', 'the archive: a directory, or s3://BUCKET/FOLDER')
  return command.option('--key <key>', 'the authority’s public key, 64 hex digits or a file (default: the profile’s)')
}

interface Read {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestState
}

/** The manifest is read and checked whole. Throws archive_missing, archive_damaged, usage without a key. */
export async function readArchive(options: ArchiveOptions, profile: Profile | undefined): Promise<Read> {
  const { storage, publicKey } = await open(options, profile)
  return { storage, manifest: await readManifest(storage, publicKey) }
}

/** As much as can be read of a damaged one, and what is wrong with it, in words. Throws as `readArchive` where nothing can. */
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
  return { storage: await openArchive(archive, { blocking: true }), publicKey }
}
