import { expect, test } from 'vitest'
import { archiveConfig } from '../../../primary/archiver/config.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'

const check = (value: object): unknown => checkConfig('primary.toml', value, archiveConfig)

test('an archive lies in a directory or a bucket, and its copies elsewhere', () => {
  const places = { to: 's3://my-bucket/acme?region=eu-west-1', copies: ['/mnt/archive', 'file:///mnt/second'] }
  expect(check(places)).toMatchObject(places)
  expect(check({})).toMatchObject({ enabled: true, copies: [] })
})

test.each([
  [{ to: 's3://my-bucket' }, 'to: not a bucket for an archive: it names no folder'],
  [{ to: 's3://my-bucket/f?regoin=x' }, 'to: not a bucket for an archive: unknown parameter "regoin"'],
  [{ to: 's3://AKI:hunter2@my-bucket/f' }, 'to: not a bucket for an archive: its URL holds credentials'],
  [{ to: 'ftp://AKI:hunter2@host/f' }, 'to: not a place for an archive: ftp://…'],
  [{ copies: ['s3://'] }, 'copies.0: not a bucket for an archive: it is not an s3:// URL'],
  [{ copies: ['/a', '/a'] }, 'a place is named twice'],
  [{ to: '/a', copies: ['/a'] }, 'a place is named twice'],
  [{ copies: ['/a', '/b', '/c', '/d', '/e'] }, 'copies: '],
])('a wrong place is refused when the configuration is read, without repeating a secret: %j', (value, why) => {
  expect(() => check(value)).toThrow(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(why) }),
  )
  expect(() => check(value)).not.toThrow(/hunter2/)
})
