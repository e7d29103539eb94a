import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeJsonObject, encodeJson } from '../../../shared/channel/json.ts'

const decode = (text: string): unknown => decodeJsonObject(Buffer.from(text))
const violation = expect.objectContaining({ code: 'protocol_violation' })

describe('JSON from a peer', () => {
  it('comes back as it was written', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 }))
    fc.assert(
      fc.property(object, (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        const sent = JSON.parse(JSON.stringify(value)) as Parameters<typeof encodeJson>[0]
        expect(decodeJsonObject(encodeJson(sent))).toEqual(sent)
      }),
    )
  })

  it('that is anything but an object in UTF-8 is a violation', () => {
    for (const text of ['', 'null', '1', '"x"', '[]', '{', '{"a":}', '{}x'])
      expect(() => decode(text)).toThrow(violation)
    expect(() => decodeJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(violation)
  })

  it('nested 32 deep is taken, deeper is not, and brackets in strings do not count', () => {
    const nested = (depth: number): string => '{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1)
    expect(decode(nested(32))).toBeDefined()
    expect(() => decode(nested(33))).toThrow(violation)
    expect(() => decode(`{"a":${'['.repeat(400_000)}`)).toThrow(violation)
    expect(decode(JSON.stringify({ a: '"[{\\'.repeat(100) }))).toEqual({ a: '"[{\\'.repeat(100) })
  })

  it('cannot reach a prototype, in whatever spelling', () => {
    for (const key of ['__proto__', '__pro\\u0074o__', '\\u005f_proto__']) {
      const value = decode(`{"a":{"${key}":{"admin":true}},"b":1}`) as { a: object }
      expect(Object.hasOwn(value.a, '__proto__')).toBe(false)
      expect(Object.assign({}, value.a)).not.toHaveProperty('admin')
    }
  })

  it('never makes anything but an object or a violation out of arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(typeof decodeJsonObject(bytes)).toBe('object')
        } catch (error) {
          expect(error).toMatchObject({ code: 'protocol_violation' })
        }
      }),
    )
  })
})
