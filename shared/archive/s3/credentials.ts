/** Reads the credentials of a bucket as AWS's tools do: from the environment, or else from the shared credentials file. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MacaroondError } from '../../errors.ts'
import { readSmallFile } from '../../files/small-file.ts'

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Present with temporary credentials. */
  readonly sessionToken?: string
}

const FILE_BYTES_MAX = 256 * 1024

/** Throws archive_denied if there are none, or only one of key id and secret. No message contains any part of them. */
export function readCredentials(env: NodeJS.ProcessEnv): S3Credentials {
  const [id, secret] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']]
  if (!id && !secret) return fromFile(env)
  if (!id || !secret)
    throw missingCredentials(`AWS_${id ? 'SECRET_ACCESS_KEY' : 'ACCESS_KEY_ID'} is not set, but its counterpart is`)
  return credentials(id, secret, env['AWS_SESSION_TOKEN'])
}

function credentials(accessKeyId: string, secretAccessKey: string, token: string | undefined): S3Credentials {
  return { accessKeyId, secretAccessKey, ...(token ? { sessionToken: token } : {}) }
}

function fromFile(env: NodeJS.ProcessEnv): S3Credentials {
  const file = env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(env['HOME'] ?? homedir(), '.aws', 'credentials')
  const profile = env['AWS_PROFILE'] ?? 'default'
  let text: string
  try {
    text = readSmallFile(file, FILE_BYTES_MAX).bytes.toString('utf8')
  } catch {
    throw missingCredentials(`AWS_ACCESS_KEY_ID is not set, and ${file} cannot be read`)
  }
  const section = sectionOf(text, profile)
  const [id, secret] = [section.get('aws_access_key_id'), section.get('aws_secret_access_key')]
  if (!id || !secret) throw missingCredentials(`${file} has no keys for the profile "${profile}"`)
  return credentials(id, secret, section.get('aws_session_token'))
}

/** Parses the lines `key = value` below `[profile]`; `#` and `;` begin comments. */
function sectionOf(text: string, profile: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  let inside = false
  for (const line of text.split(/\r?\n/).map((raw) => raw.trim())) {
    const [, name] = /^\[\s*(.+?)\s*\]$/.exec(line) ?? []
    if (name !== undefined) inside = name === profile
    const [, key, value] = /^([a-z_]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (inside && key !== undefined && value !== undefined) values.set(key, value)
  }
  return values
}

function missingCredentials(what: string): MacaroondError {
  return new MacaroondError('archive_denied', `there are no credentials for the archive’s bucket: ${what}`, {
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a file of shared credentials',
  })
}
