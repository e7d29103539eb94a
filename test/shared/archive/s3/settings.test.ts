import { describe, expect, test } from 'vitest'
import { MacaroondError } from '../../../../shared/errors.ts'
import { keyOf, objectName } from '../../../../shared/archive/s3/bucket.ts'
import { parseS3Url, type S3Settings, urlOf } from '../../../../shared/archive/s3/settings.ts'

const at = (url: string, env: NodeJS.ProcessEnv = {}): S3Settings => parseS3Url(url, env)
const addressOf = (url: string, env: NodeJS.ProcessEnv = {}): string => urlOf(at(url, env), 'k')

function refused(url: string, env: NodeJS.ProcessEnv = {}): MacaroondError {
  try {
    at(url, env)
  } catch (error) {
    if (error instanceof MacaroondError) return error
  }
  throw new Error(`${url} was not refused`)
}

describe('the URL of a bucket', () => {
  test('with a port that no host can have is refused when it is read, not when it is used', () => {
    expect(refused('s3://bucket.ho%20st:9000/f').code).toBe('config_invalid')
    expect(at('s3://bucket.LocalHost:9000/f').endpoint).toBe('http://localhost:9000')
  })

  test('alone means AWS, in the region of the environment', () => {
    expect(at('s3://my-bucket/a/folder')).toMatchObject({
      bucket: 'my-bucket',
      prefix: 'a/folder',
      region: 'us-east-1',
    })
    expect(addressOf('s3://my-bucket/f')).toBe('https://my-bucket.s3.us-east-1.amazonaws.com/k')
    expect(addressOf('s3://my-bucket/f', { AWS_REGION: 'eu-west-3' })).toContain('.s3.eu-west-3.amazonaws.com')
    expect(addressOf('s3://my-bucket/f', { AWS_DEFAULT_REGION: 'eu-west-3' })).toContain('.s3.eu-west-3.')
    expect(addressOf('s3://my-bucket/f?region=cn-north-1')).toContain('.s3.cn-north-1.amazonaws.com.cn/')
  })

  test('with a dot in the bucket has it in the path: no certificate is good for two labels', () => {
    expect(addressOf('s3://my.bucket/f')).toBe('https://s3.us-east-1.amazonaws.com/my.bucket/k')
  })

  test('may name an endpoint, in itself or in the environment, and then has the bucket in the path', () => {
    expect(addressOf('s3://b22/f?endpoint=https://store.example:9000')).toBe('https://store.example:9000/b22/k')
    expect(addressOf('s3://b22/f?endpoint=store.example')).toBe('https://store.example/b22/k')
    expect(addressOf('s3://b22/f?endpoint=localhost:9000')).toBe('http://localhost:9000/b22/k')
    expect(addressOf('s3://b22/f', { AWS_ENDPOINT_URL: 'http://store.example' })).toBe('http://store.example/b22/k')
    const env = { AWS_ENDPOINT_URL: 'http://other.example', AWS_ENDPOINT_URL_S3: 'http://store.example' }
    expect(addressOf('s3://b22/f', env)).toBe('http://store.example/b22/k')
    expect(addressOf('s3://b22/f?endpoint=http://mine.example', env)).toBe('http://mine.example/b22/k')
    const virtual = 's3://b22/f?endpoint=https://store.example&forcePathStyle=false'
    expect(addressOf(virtual)).toBe('https://b22.store.example/k')
    expect(addressOf('s3://b22/f?force-path-style=true')).toBe('https://s3.us-east-1.amazonaws.com/b22/k')
  })

  test.each([
    ['s3://b22.s3.eu-west-1.amazonaws.com/f', 'https://b22.s3.eu-west-1.amazonaws.com/k'],
    ['s3://b22.s3.amazonaws.com/f', 'https://b22.s3.us-east-1.amazonaws.com/k'],
    ['s3://b22.fra1.digitaloceanspaces.com/f', 'https://b22.fra1.digitaloceanspaces.com/k'],
    ['s3://b22.s3.us-west-000.backblazeb2.com/f', 'https://s3.us-west-000.backblazeb2.com/b22/k'],
    ['s3://b22.s3.fr-par.scw.cloud/f', 'https://b22.s3.fr-par.scw.cloud/k'],
    ['s3://b22.s3.filebase.com/f', 'https://s3.filebase.com/b22/k'],
    ['s3://b22.localhost:9000/f', 'http://localhost:9000/b22/k'],
  ])('may be one of litestream’s for a provider: %s', (url, address) => {
    expect(addressOf(url)).toBe(address)
  })

  test.each([
    ['s3://', 'not an s3:// URL'],
    ['s3:///f', 'not an s3:// URL'],
    ['s3://b22', 'no folder'],
    ['s3://b22/', 'no folder'],
    ['s3://b22/a/../b//c', 'parts that some stores change'],
    ['s3://b22/a%2f%2e%2e%2fb', 'parts that some stores change'],
    ['s3://b22/%ff', 'percent-encoding'],
    ['s3://b22/a%00b', 'parts that some stores change'],
    ['s3://b/f', 'names no bucket'],
    ['s3://-b2-/f', 'names no bucket'],
    ['s3://b22/f?region=eu west', 'region'],
    ['s3://b22/f?endpiont=http://x', 'unknown parameter "endpiont"'],
    ['s3://b22/f?skipVerify=true', 'unknown parameter "skipVerify"'],
    ['s3://b22/f?forcePathStyle=maybe', 'true or false'],
    ['s3://b22/f?endpoint=http://x/y', 'without a path'],
    ['s3://b22/f?endpoint=http://', 'is not a URL'],
    ['s3://b22/f#x', 'not an s3:// URL'],
    [`s3://b22/${'f'.repeat(3_000)}`, 'not an s3:// URL'],
  ])('is refused where it says nothing that can be used: %s', (url, why) => {
    expect(refused(url)).toMatchObject({ code: 'config_invalid', message: expect.stringContaining(why) })
  })

  test.each(['s3://AKIA123:hunter2@b22/f', 's3://b22/f?endpoint=http://AKIA123:hunter2@x'])(
    'holds no credentials, and the refusal does not repeat them: %s',
    (url) => {
      const { message, hint, code } = refused(url)
      expect(code).toBe('config_invalid')
      expect(message + hint).not.toMatch(/hunter2|AKIA123/)
      expect(hint).toContain('AWS_ACCESS_KEY_ID')
    },
  )
})

describe('names in a bucket', () => {
  test('are those that litestream looks for, and back', () => {
    expect(objectName('f', 'ltx/0/a.ltx')).toBe('f/0000/a.ltx')
    expect(objectName('f', 'ltx/9/')).toBe('f/0009/')
    expect(objectName('f', 'ltx/')).toBe('f/000')
    expect(objectName('f', 'macaroond/manifest/')).toBe('f/macaroond/manifest/')
    for (const key of ['ltx/0/a.ltx', 'ltx/9/b', 'macaroond/probe'])
      expect(keyOf('f/g', objectName('f/g', key))).toBe(key)
    expect(keyOf('f', 'other/0000/a')).toBeUndefined()
  })

  test('are sent with every byte encoded that is not plain', () => {
    expect(urlOf(at('s3://b22/f?endpoint=http://x.y'), "a b/ä+(!'*)%/c", { prefix: 'a/b c' })).toBe(
      'http://x.y/b22/a%20b/%C3%A4%2B%28%21%27%2A%29%25/c?prefix=a%2Fb%20c',
    )
  })
})
