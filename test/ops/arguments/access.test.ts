import { describe, expect, it } from 'vitest'
import { parseAccess } from '../../../ops/arguments/access.ts'

describe('parseAccess', () => {
  it('names the org, and every key with its value', () => {
    expect(parseAccess('acme', ['op=read', 'path=/a/b'])).toEqual({ org: 'acme', op: 'read', path: '/a/b' })
  })

  it('asks for all values of a key that is given more than once', () => {
    expect(parseAccess('acme', ['op=read', 'op=write', 'op=list'])).toEqual({
      org: 'acme',
      op: ['read', 'write', 'list'],
    })
  })

  it('ends a key at the first equals sign', () => {
    expect(parseAccess('acme', ['query=a=b'])).toEqual({ org: 'acme', query: 'a=b' })
  })

  it('keeps an empty value, which the verifier refuses in its own words', () => {
    expect(parseAccess('acme', ['op='])).toEqual({ org: 'acme', op: '' })
  })

  it.each(['op', '=read', ''])('refuses %j, which is no key=value', (pair) => {
    expect(() => parseAccess('acme', [pair])).toThrow(expect.objectContaining({ code: 'usage' }))
  })

  it('takes the org from one place only', () => {
    expect(() => parseAccess('acme', ['org=other'])).toThrow(expect.objectContaining({ code: 'usage' }))
  })

  it('treats __proto__ as a key like any other', () => {
    const access = parseAccess('acme', ['__proto__=x'])
    expect(Object.keys(access)).toEqual(['org', '__proto__'])
    expect(Object.getPrototypeOf(access)).toBe(Object.prototype)
  })
})
