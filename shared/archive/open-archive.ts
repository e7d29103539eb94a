/** Opens the storage backend for a location that a configuration or a command line names. */
import { systemClock, systemEntropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { type DirectoryOptions, DirectoryStorage } from './directory.ts'
import { BucketStorage } from './s3/bucket.ts'
import { readCredentials, type S3Credentials } from './s3/credentials.ts'
import { parseS3Url, type S3Settings } from './s3/settings.ts'
import type { ArchiveStorage } from './storage.ts'

/**
 * `location` is a path, or a `file://` or `s3://` URL as litestream writes it. A bucket is not contacted before its first use.
 * Throws archive_missing, archive_denied, config_invalid.
 */
export async function openArchive(location: string, options: DirectoryOptions = {}): Promise<ArchiveStorage> {
  const place = parseLocation(location)
  return 'path' in place ? DirectoryStorage.open(place.path, options) : openBucket(place.bucket)
}

/** Returns what is wrong with the text of a location, or undefined. It does not contact the store. */
export function locationProblem(location: string): string | undefined {
  try {
    parseLocation(location)
    return undefined
  } catch (error) {
    if (error instanceof MacaroondError) return error.message
    throw error
  }
}

type ArchiveLocation = { readonly path: string } | { readonly bucket: S3Settings }

function parseLocation(location: string): ArchiveLocation {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/.exec(location) ?? []
  if (scheme === undefined) return { path: location }
  if (scheme === 'file') return { path: rest }
  if (scheme === 's3') return { bucket: parseS3Url(location, process.env) }
  throw new MacaroondError('config_invalid', `not a place for an archive: ${scheme}://…`, {
    hint: 'give the path of a directory, or s3://BUCKET/FOLDER',
  })
}

function openBucket(settings: S3Settings): ArchiveStorage {
  const credentials = (): S3Credentials => readCredentials(process.env)
  return new BucketStorage({ settings, credentials, clock: systemClock, entropy: systemEntropy })
}
