import { describe, expect, test } from 'vitest'
import { bearerToken, httpAnswer } from '../../../replica/worker/http-answer.ts'
import { refused, type RefusalReason } from '../../../shared/verifier/verdict.ts'

const statusOf = (reason: RefusalReason): number => httpAnswer(refused(reason, 'no')).status

describe('a verdict as an HTTP answer', () => {
  test.each([
    'token_malformed',
    'key_unknown',
    'expired',
    'revoked',
    'signature_wrong',
    'key_retired',
    'discharge_invalid',
    'caveat_unknown',
  ] as const)('says invalid_token for %s', (reason) => {
    const { status, headers } = httpAnswer(refused(reason, 'no'))
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toBe('Bearer error="invalid_token"')
  })

  test.each(['caveat_refused', 'org_mismatch', 'discharge_missing', 'work_exceeded'] as const)(
    'says insufficient_scope for %s',
    (reason) => {
      const { status, headers } = httpAnswer(refused(reason, 'no'), { realm: 'photos' })
      expect(status).toBe(403)
      expect(headers['www-authenticate']).toBe('Bearer realm="photos", error="insufficient_scope"')
    },
  )

  test('answers 503 with a time to retry where no replica can judge, and never 401', () => {
    const { status, headers } = httpAnswer(refused('unavailable', 'no'))
    expect(status).toBe(503)
    expect(headers).toMatchObject({ 'retry-after': '1' })
    expect(headers).not.toHaveProperty('www-authenticate')
  })

  test('blames the service for an access that it stated wrongly', () => {
    expect([statusOf('org_missing'), statusOf('access_malformed')]).toEqual([500, 500])
  })

  test('names no error where no token came', () => {
    expect(httpAnswer(undefined)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
    expect(httpAnswer(undefined, { realm: 'a"b' }).headers['www-authenticate']).toBe('Bearer realm="a\\"b"')
  })

  test('may never be kept by a proxy', () => {
    const accepted = { ok: true, id: 'a.b', org: 'acme', subject: 's', notes: [], caveatCount: 0 } as never
    for (const verdict of [accepted, refused('revoked', 'no'), undefined])
      expect(httpAnswer(verdict).headers['cache-control']).toBe('no-store')
    expect(httpAnswer(accepted).status).toBe(200)
  })

  test('puts nothing into a header that a header may not hold', () => {
    const header = httpAnswer(undefined, { realm: 'a\r\nset-cookie: b\u{436}' }).headers['www-authenticate'] ?? ''
    expect(header).toMatch(/^[\x20-\x7e]*$/)
  })
})

describe('the bearer token of a request', () => {
  test.each([
    ['a token', 'Bearer mcn1_abc.0123~mcn1_def', 'mcn1_abc.0123~mcn1_def'],
    ['any case and white space around it', 'bEARER   abc== ', 'abc=='],
    ['another scheme', 'Basic abc', undefined],
    ['nothing behind the scheme', 'Bearer ', undefined],
    ['two tokens', 'Bearer a, Bearer b', undefined],
    ['characters that no token has', 'Bearer a b', undefined],
  ])('%s', (_, value, token) => {
    expect(bearerToken({ authorization: value })).toBe(token)
    expect(bearerToken(new Headers({ authorization: value }))).toBe(token)
  })

  test('is undefined without the header, or with it twice', () => {
    expect(bearerToken({})).toBeUndefined()
    expect(bearerToken({ authorization: ['Bearer a', 'Bearer b'] })).toBeUndefined()
    expect(
      bearerToken(
        new Headers([
          ['authorization', 'Bearer a'],
          ['authorization', 'Bearer b'],
        ]),
      ),
    ).toBeUndefined()
  })
})
