import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIST_ITEMS_MAX } from '../../../../shared/limits.ts'
import { AskedValue } from '../../../../shared/macaroon/predicate/asked-value.ts'
import { checkPredicate, compilePredicate } from '../../../../shared/macaroon/predicate/compile.ts'

/** Whether a predicate on a value allows it; undefined for one that is not understood. */
function allows(text: string, value: string): boolean | undefined {
  const predicate = compilePredicate(text)
  if (predicate.kind === 'unknown') return undefined
  if (predicate.kind !== 'value') throw new Error(`${text} is not on a value`)
  return predicate.allows(new AskedValue(value))
}

describe('words', () => {
  test.each([
    ['op = read', 'read', true],
    ['op = read', 'write', false],
    ['op = read', 'Read', false],
    ['op = read', 'read ', false],
    ['op in read,write', 'write', true],
    ['op in read,write', 'read,write', false],
    ['org = acme', 'acme', true],
    ['subject = alice', 'alice', true],
    ['subject = alice', 'alic', false],
    ['region in fra,sin', 'sin', true],
    ['peer = 12D3KooWabc', '12D3KooWabc', true],
    ['scope in user:email,read:org', 'read:org', true],
    ['account = 3735928559', '3735928559', true],
    ['email = alice@example.org', 'alice@example.org', true],
    ['name = two words', 'two words', true],
    ['x = a..b', 'a..b', true],
    ['x in a..b,c', 'c', true],
    ['__proto__ = constructor', 'constructor', true],
    ['constructor in toString,valueOf', '__proto__', false],
  ])('%s, asked for %s: %s', (text, value, expected) => {
    expect(allows(text, value)).toBe(expected)
  })
})

describe('numbers and ranges', () => {
  test.each([
    ['chunk in 100..500', '100', true],
    ['chunk in 100..500', '500', true],
    ['chunk in 100..500', '99', false],
    ['chunk in 100..500', '100..500', true],
    ['chunk in 100..500', '200..501', false],
    ['chunk in 100..500', '300..200', false],
    ['chunk in 1..5,10..20,30', '30', true],
    ['chunk in 1..5,10..20,30', '5..10', false],
    ['chunk = 600', '600', true],
    ['chunk = 600', '600..601', false],
    ['size <= 102400', '102400', true],
    ['size <= 102400', '102401', false],
    ['size < 1', '0', true],
    ['size < 0', '0', false],
    ['size > 5', '5', false],
    ['size >= 5', '5..9007199254740991', true],
    ['size <= 10', '0..10', true],
    ['size <= 10', '+5', false],
    ['size <= 10', '05', false],
    ['size <= 10', '5.0', false],
    ['size <= 10', '5e0', false],
    ['size <= 10', '0x5', false],
    ['size <= 10', '-1', false],
    ['size <= 10', ' 5', false],
    ['size <= 10', '', false],
    ['size <= 10', '٥', false],
    ['size >= 1', '9007199254740992', false],
    ['level >= 3', '4', true],
    ['shard in 1..4', '3', true],
    ['shard in 1,2', '1..2', false],
  ])('%s, asked for %s: %s', (text, value, expected) => {
    expect(allows(text, value)).toBe(expected)
  })

  test('an access lies inside a range exactly when both of its ends do', () => {
    const number = fc.nat(40)
    fc.assert(
      fc.property(number, number, number, number, (a, b, c, d) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        const expected = c <= d && low <= c && d <= high
        expect(allows(`chunk in ${low}..${high}`, `${c}..${d}`)).toBe(expected)
      }),
    )
  })
})

describe('spellings of other libraries', () => {
  const instantMs = Date.UTC(2030, 0, 1)

  test.each([
    ['time-before 2030-01-01T00:00:00Z', instantMs],
    ['time-before 2030-01-01T00:00:00.000000001Z', instantMs + 1e-6],
    ['time-before 2030-01-01T01:00:00+01:00', instantMs],
    ['time < 2030-01-01T00:00Z', instantMs],
    ['time < 2030-01-01T01:00:00+01', instantMs],
    ['time < 1893456000', instantMs],
  ])('%s is an upper bound that does not include its instant', (text, ms) => {
    const bound = { kind: 'time', bound: 'upper', inclusive: false, instantMs: expect.closeTo(ms, 3) }
    expect(compilePredicate(text)).toMatchObject(bound)
  })
})

describe('the caveats of discharges', () => {
  const name = '00000000000000a1.01a3185c4c1870008707070707070707'

  test('a tenant is judged by the org of the access', () => {
    expect(compilePredicate('tenant = acme')).toMatchObject({ kind: 'value', key: 'org', conditional: false })
    expect([allows('tenant = acme', 'acme'), allows('tenant = acme', 'other')]).toEqual([true, false])
    expect(allows('tenant in acme,other', 'other')).toBe(true)
  })

  test('tokens are named by their ids', () => {
    expect(compilePredicate(`presented = ${name}`)).toEqual({ kind: 'presented', id: name })
    expect(compilePredicate(`unrevoked = ${name}`)).toMatchObject({ kind: 'unrevoked', kid: '00000000000000a1' })
  })
})

describe('a caveat that is not understood', () => {
  test.each([
    '',
    ' ',
    'op',
    'op =',
    'op = ',
    'op  = read',
    'op =  read',
    'op = read ',
    ' op = read',
    'op == read',
    'op=read',
    'op != read',
    'op < read',
    'op prefix r',
    'op in read, write',
    'op in read,,write',
    'op in ,',
    'op in read,',
    'op = read\n',
    'op = re\u0000ad',
    'op = re\u202ead',
    'op = re\u2028ad',
    '1op = read',
    'öp = read',
    `${'k'.repeat(65)} = v`,
    'op?? = read',
    'op ? = read',
    'chunk in 500..100',
    'chunk in 1...5',
    'chunk in 01..5',
    'chunk in 1..',
    'chunk in 1..5,x',
    'shard in 1..5,x',
    'chunk = x',
    'chunk prefix 1',
    'size <= 9007199254740992',
    'size <= 1e3',
    'size <= -1',
    'path prefix a/',
    'path prefix /a/../b/',
    'path prefix /a/%2e%2e/',
    'path < /a',
    'host prefix a.',
    'ip in 10.0.0.1/8',
    'ip in 10.0.0.0/33',
    'ip in 10.0.0.0/08',
    'ip in 10.0.0/8',
    'ip in example.org',
    'ip = 10.0.0.0/8',
    'ip < 10.0.0.1',
    'time < 2020-01-01T00:00',
    'time < 2020-01-01T00:00:00',
    'time < 1700000000000',
    'time = 1700000000',
    'time? < 1700000000',
    'time in 1..2',
    'time-before 2030-01-01T00:00:00',
    'time-before 1700000000',
    'time-before  2030-01-01T00:00:00Z',
    'time-before 2030-01-01T00:00:00Z ',
    'time-before',
    'tenant? = acme',
    'tenant < 5',
    'presented = x',
    'presented? = 00000000000000a1.01a3185c4c1870008707070707070707',
    'presented in 00000000000000a1.01a3185c4c1870008707070707070707',
    'presented = 00000000000000A1.01a3185c4c1870008707070707070707',
    'presented = 00000000000000a1.01a3185c4c1810008707070707070707',
    'unrevoked = 00000000000000a1',
    'unrevoked? = 00000000000000a1.01a3185c4c1870008707070707070707',
    'staleness <= 500',
    'staleness <= 5m',
    'staleness >= 5s',
    'staleness? <= 5s',
    'note in a,b',
    'note? = a',
    'expires: 2030-01-01T00:00:00Z',
    '[0,1,2]',
  ])('%j refuses', (text) => {
    expect(compilePredicate(text)).toEqual({ kind: 'unknown', wanted: expect.stringMatching(/./) })
    expect(() => checkPredicate(text)).toThrow(expect.objectContaining({ code: 'caveat_malformed' }))
  })

  test('a list may have 256 items and not one more', () => {
    const list = (length: number): string => `op in ${Array.from({ length }, (_, i) => i).join(',')}`
    expect(compilePredicate(list(LIST_ITEMS_MAX)).kind).toBe('value')
    expect(compilePredicate(list(LIST_ITEMS_MAX + 1)).kind).toBe('unknown')
  })

  test('a caveat that is too long for a token is reported to its author', () => {
    // Its length is looked at first, so a text that is not a predicate gets the same message.
    expect(() => checkPredicate('x'.repeat(5_000))).toThrow(
      expect.objectContaining({ code: 'caveat_malformed', message: expect.stringContaining('4096') }),
    )
    expect(() => checkPredicate(`note = ${'ä'.repeat(2_100)}`)).toThrow(
      expect.objectContaining({ code: 'caveat_malformed' }),
    )
  })

  test('no text makes the compiler fail', () => {
    const words = fc.constantFrom('op', 'time', 'path', 'ip', 'chunk', 'note', '?', ' ', '=', '<', '<=', 'in', 'prefix')
    const pieces = fc.oneof(
      words,
      fc.string({ unit: 'binary' }),
      fc.constantFrom('1..5', ',', '/', '10.0.0.0/8', '::', '%'),
    )
    const texts = fc.array(pieces, { maxLength: 8 }).map((list) => list.join(''))
    fc.assert(
      fc.property(texts, fc.string(), (text, value) => {
        const predicate = compilePredicate(text)
        if (predicate.kind === 'value') predicate.allows(new AskedValue(value))
      }),
      { numRuns: 5_000 },
    )
  })
})
