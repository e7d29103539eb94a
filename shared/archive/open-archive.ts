/** From what a configuration or a command line says to a storage backend. */
import { systemClock, systemEntropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { DirectoryStorage } from './directory.ts'
import { BucketStorage } from './s3/bucket.ts'
import { readCredentials } from './s3/credentials.ts'
import { parseS3Url } from './s3/settings.ts'
import type { ArchiveStorage } from './storage.ts'

/**
 * A path, or a `file://` or `s3://` URL as litestream writes it. A bucket is not asked whether it is there before it is used.
 * Throws archive_missing, archive_denied, config_invalid.
 */
export async function openArchive(
  location: string,
  options: { readonly create?: boolean } = {},
): Promise<ArchiveStorage> {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/.exec(location) ?? []
  if (scheme === undefined) return DirectoryStorage.open(location, options)
  if (scheme === 'file') return DirectoryStorage.open(rest, options)
  if (scheme === 's3') return openBucket(location)
  throw new MacaroondError('config_invalid', `not a place for an archive: ${scheme}://…`, {
    hint: 'give the path of a directory, or s3://BUCKET/FOLDER',
  })
}

function openBucket(location: string): ArchiveStorage {
  const settings = parseS3Url(location, process.env)
  const credentials = (): ReturnType<typeof readCredentials> => readCredentials(process.env)
  return new BucketStorage({ settings, credentials, clock: systemClock, entropy: systemEntropy })
}
