import { describe, expect, test } from 'vitest'
import { PredicateCache } from '../../../../shared/macaroon/predicate/cache.ts'
import { compilePredicate } from '../../../../shared/macaroon/predicate/compile.ts'

const cid = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

describe('the cache of predicates', () => {
  test('compiles a caveat once while it is in use', () => {
    const cache = new PredicateCache(8)
    expect(cache.compile(cid('op = read'))).toBe(cache.compile(cid('op = read')))
  })

  test('answers for each caveat what compiling it answers, also when thousands share a few slots', () => {
    const cache = new PredicateCache(4)
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 2_000; i += 1) {
        const { text, predicate } = cache.compile(cid(`x = ${i % 50}${'y'.repeat(i % 7)}`))
        expect(text).toBe(`x = ${i % 50}${'y'.repeat(i % 7)}`)
        expect(predicate).toMatchObject({ kind: 'value', wanted: text })
      }
    }
  })

  test('keeps no long caveat, and none of the bytes it was given', () => {
    const cache = new PredicateCache(2)
    const long = cid(`op = ${'x'.repeat(300)}`)
    expect(cache.compile(long)).not.toBe(cache.compile(long))
    const bytes = cid('op = read')
    cache.compile(bytes)
    bytes.set(cid('op = reap'))
    expect(cache.compile(bytes).text).toBe('op = reap')
    expect(cache.compile(cid('op = read')).text).toBe('op = read')
  })

  test('shows a caveat that is no text in hex, and does not understand it', () => {
    const compiled = new PredicateCache().compile(new Uint8Array([0xff, 0x00]))
    expect(compiled).toMatchObject({ text: '0xff00', predicate: { kind: 'unknown' } })
    expect(compilePredicate('\ufffd').kind).toBe('unknown')
  })
})
