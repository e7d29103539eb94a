/** From what a configuration or a command line says to a storage backend. */
import { MacaroondError } from '../errors.ts'
import { type DirectoryOptions, DirectoryStorage } from './directory.ts'
import type { ArchiveStorage } from './storage.ts'

/** A path, or a `file://` URL as litestream writes it. Throws archive_missing, archive_denied, config_invalid. */
export async function openArchive(location: string, options: DirectoryOptions = {}): Promise<ArchiveStorage> {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/.exec(location) ?? []
  if (scheme === undefined) return DirectoryStorage.open(location, options)
  if (scheme === 'file') return DirectoryStorage.open(rest, options)
  throw new MacaroondError('config_invalid', `not a place for an archive: ${location.slice(0, 80)}`, {
    hint: 'give the path of a directory',
  })
}
