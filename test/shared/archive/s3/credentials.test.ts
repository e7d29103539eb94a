import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readCredentials } from '../../../../shared/archive/s3/credentials.ts'

const FILE = `
# of two accounts
[default]
aws_access_key_id = AKIDEFAULT
aws_secret_access_key=secret/of+default=

[ other ]
aws_access_key_id=AKIOTHER
aws_secret_access_key = other-secret
aws_session_token = a-token
; half of one
[half]
aws_access_key_id = AKIHALF
`

function file(text: string = FILE): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-aws-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'credentials')
  writeFileSync(path, text)
  return path
}

describe('credentials', () => {
  test('come from the environment before any file', () => {
    const env = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SHARED_CREDENTIALS_FILE: file() }
    expect(readCredentials(env)).toEqual({ accessKeyId: 'a', secretAccessKey: 'b' })
    expect(readCredentials({ ...env, AWS_SESSION_TOKEN: 'c' })).toMatchObject({ sessionToken: 'c' })
  })

  test('come from the shared file, of the profile that is named', () => {
    const AWS_SHARED_CREDENTIALS_FILE = file()
    expect(readCredentials({ AWS_SHARED_CREDENTIALS_FILE })).toEqual({
      accessKeyId: 'AKIDEFAULT',
      secretAccessKey: 'secret/of+default=',
    })
    expect(readCredentials({ AWS_SHARED_CREDENTIALS_FILE, AWS_PROFILE: 'other' })).toEqual({
      accessKeyId: 'AKIOTHER',
      secretAccessKey: 'other-secret',
      sessionToken: 'a-token',
    })
  })

  test.each([
    [{ AWS_ACCESS_KEY_ID: 'a' }, 'AWS_SECRET_ACCESS_KEY is not set'],
    [{ AWS_SECRET_ACCESS_KEY: 'sesame' }, 'AWS_ACCESS_KEY_ID is not set'],
    [{ AWS_SHARED_CREDENTIALS_FILE: '/no/such/file' }, '/no/such/file cannot be read'],
    [{ AWS_PROFILE: 'nobody' }, 'no keys for the profile "nobody"'],
    [{ AWS_PROFILE: 'half' }, 'no keys for the profile "half"'],
  ])('that are not there, or only by half, are asked for: %j', (env, why) => {
    const read = (): unknown => readCredentials({ AWS_SHARED_CREDENTIALS_FILE: file(), ...env })
    expect(read).toThrow(expect.objectContaining({ code: 'archive_denied', message: expect.stringContaining(why) }))
    expect(read).not.toThrow(/sesame|AKIHALF/)
  })
})
