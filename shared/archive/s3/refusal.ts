/**
 * Translates a store's refusal into our error and hint. It repeats the store's code and not its text, which may hold anything.
 */
import { MacaroondError, type ErrorCode } from '../../errors.ts'
import { isTransient, type S3Failure } from './retry.ts'
import type { S3Settings } from './settings.ts'

interface Meaning {
  readonly code: ErrorCode
  readonly hint: string
}

const PERMISSIONS =
  'the access key needs s3:ListBucket, GetObject, PutObject, DeleteObject, ListBucketMultipartUploads and AbortMultipartUpload on this bucket'

const DENIED: Readonly<Record<string, string>> = {
  SignatureDoesNotMatch: 'AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID, or the region is wrong',
  InvalidAccessKeyId: 'the store does not know AWS_ACCESS_KEY_ID: check it, and the endpoint',
  XAdminUserNotFound: 'the store does not know AWS_ACCESS_KEY_ID: check it, and the endpoint',
  ExpiredToken: 'get new credentials: these were temporary and have expired',
  InvalidToken: 'AWS_SESSION_TOKEN does not belong to AWS_ACCESS_KEY_ID',
  RequestTimeTooSkewed: 'set this machine’s clock: it is more than 15 minutes off',
}

const FULL: readonly string[] = [
  'QuotaExceeded',
  'QuotaExceededException',
  'InsufficientStorage',
  'XMinioStorageFull',
  'NoSpaceLeft',
  'ENOSPC',
]
const OTHER_REGION: readonly string[] = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'TemporaryRedirect']

/** `doing` completes "… while …" in the message. */
export function refusal(failure: S3Failure, doing: string, settings: S3Settings): MacaroondError {
  const { bucket, endpoint } = settings
  const { status, code } = failure
  const name = /^[A-Za-z0-9._-]{1,64}$/.test(code) ? code : ''
  const what = [status, name].filter((part) => part !== undefined && part !== '').join(' ')
  const { code: ours, hint } = meaningOf(failure, settings)
  const says =
    status === undefined ? `no answer from ${endpoint} (${what || 'connection lost'})` : `${endpoint} answers ${what}`
  return new MacaroondError(ours, `${says} while ${doing}, bucket ${bucket}`, { hint })
}

function meaningOf(failure: S3Failure, { region }: S3Settings): Meaning {
  const { status = 0, code } = failure
  if (code === 'NoSuchBucket')
    return { code: 'archive_missing', hint: 'there is no such bucket: create it, or name another; check the endpoint' }
  if (FULL.includes(code) || status === 507)
    return { code: 'disk_full', hint: 'make room in the store, or raise its quota: nothing acknowledged was lost' }
  if (OTHER_REGION.includes(code) || (status >= 300 && status < 400))
    return { code: 'archive_missing', hint: `the bucket is not in region ${region}: name its region with ?region=` }
  const denied = Object.hasOwn(DENIED, code) ? DENIED[code] : undefined
  if (denied !== undefined || status === 401 || status === 403)
    return { code: 'archive_denied', hint: denied ?? PERMISSIONS }
  if (isTransient(failure))
    return { code: 'archive_unavailable', hint: 'check the endpoint, its certificate, and the network; then try again' }
  return { code: 'io_failed', hint: 'the store refuses this request: check that it is an S3 store of a recent version' }
}
