import { describe, expect, test } from 'vitest'
import { mint, Node, NOW_MS, outcome, outcomeOf } from './fixture.ts'

const seconds = NOW_MS / 1000

describe('a caveat', () => {
  test('that refuses is named, with what it wanted', () => {
    const verdict = new Node().judge(mint(['note = n', 'op in read,list']), { org: 'acme', op: 'write' })
    expect(verdict).toEqual({
      ok: false,
      reason: 'caveat_refused',
      message: expect.any(String),
      caveat: 'op in read,list',
      wanted: 'op in read,list',
    })
  })

  test('that is not understood refuses, and is named', () => {
    const verdict = new Node().judge(mint(['time before 2030-01-01T00:00:00Z']))
    expect(verdict).toMatchObject({ reason: 'caveat_unknown', caveat: 'time before 2030-01-01T00:00:00Z' })
    expect(verdict).toHaveProperty('wanted', expect.stringContaining('key op value'))
  })

  test('that is no text refuses, and is shown in hex', () => {
    const verdict = new Node().judge(mint([new Uint8Array([0xff, 0x0a])]))
    expect(verdict).toMatchObject({ reason: 'caveat_unknown', caveat: '0xff0a' })
    expect(outcomeOf(new Uint8Array())).toBe('caveat_unknown')
  })

  test('on a key that the access lacks refuses; with a question mark it does not apply', () => {
    expect(outcomeOf('app = web')).toBe('caveat_refused')
    expect(outcomeOf('app? = web')).toBe('ok')
    expect(outcomeOf('app? = web', { app: 'web' })).toBe('ok')
    expect(outcomeOf('app? = web', { app: 'mail' })).toBe('caveat_refused')
    expect(outcomeOf('org? = other')).toBe('caveat_refused')
  })

  test('allows all of the values that are asked for, or refuses', () => {
    expect(outcomeOf('scope in user:email', { scope: ['user:email'] })).toBe('ok')
    expect(outcomeOf('scope in user:email', { scope: ['user:email', 'read:org'] })).toBe('caveat_refused')
    expect(outcomeOf('scope in user:email,read:org', { scope: ['user:email', 'read:org'] })).toBe('ok')
    expect(outcomeOf('path prefix /a/', { path: ['/a/1', '/b/1'] })).toBe('caveat_refused')
    expect(outcomeOf('chunk in 1..5', { chunk: ['1..2', '4..6'] })).toBe('caveat_refused')
  })

  test('on the same key as another intersects with it', () => {
    const forum = (caveat: string, chunk: string): string =>
      outcome(new Node().judge(mint(['chunk in 100..500', caveat]), { org: 'acme', chunk }))
    expect(['99', '100', '500', '600', '100..600'].map((chunk) => forum('chunk = 600', chunk))).toEqual(
      Array.from({ length: 5 }, () => 'caveat_refused'),
    )
    expect(['300', '500', '300..500'].map((chunk) => forum('chunk in 300..900', chunk))).toEqual(['ok', 'ok', 'ok'])
    expect(['299', '501', '299..500', '300..501'].map((chunk) => forum('chunk in 300..900', chunk))).toEqual(
      Array.from({ length: 4 }, () => 'caveat_refused'),
    )
  })

  test('on a prototype key is a caveat like any other', () => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(outcomeOf(`${key} = x`)).toBe('caveat_refused')
      expect(outcomeOf(`${key}? = x`)).toBe('ok')
      expect(outcomeOf(`${key} = x`, JSON.parse(`{"org":"acme","${key}":"x"}`))).toBe('ok')
    }
  })
})

describe('the node’s own facts', () => {
  test.each([
    ['time < NOW', 'caveat_refused'],
    ['time <= NOW', 'ok'],
    ['time >= NOW', 'ok'],
    ['time > NOW', 'caveat_refused'],
    ['time < NOW+1', 'ok'],
    ['time > NOW-1', 'ok'],
  ])('%s: %s', (text, expected) => {
    const caveat = text.replace(/NOW(.1)?/, (_, shift = '0') => String(seconds + Number(shift)))
    expect(outcomeOf(caveat)).toBe(expected)
  })

  test('upper bounds of time go by the latest credible time, lower ones by the earliest', () => {
    const context = { nowEarliestMs: NOW_MS - 5_000, nowLatestMs: NOW_MS + 5_000 }
    expect(outcomeOf(`time < ${seconds + 3}`, {}, context)).toBe('caveat_refused')
    expect(outcomeOf(`time < ${seconds + 6}`, {}, context)).toBe('ok')
    expect(outcomeOf(`time > ${seconds - 3}`, {}, context)).toBe('caveat_refused')
    expect(outcomeOf(`time > ${seconds - 6}`, {}, context)).toBe('ok')
  })

  test('region and peer are its own, and refuse where it states none', () => {
    expect(outcomeOf('region in fra,sin')).toBe('ok')
    expect(outcomeOf('region = sin')).toBe('caveat_refused')
    expect(outcomeOf('peer = 12D3KooWx')).toBe('caveat_refused')
    expect(outcomeOf('peer = 12D3KooWx', {}, { peer: '12D3KooWx' })).toBe('ok')
    expect(outcomeOf('peer = 12D3KooWx', {}, { peer: '12D3KooWy' })).toBe('caveat_refused')
  })

  test.each(['time', 'region', 'staleness', 'peer'])(
    'a caller that names %s is refused, with or without a caveat on it',
    (key) => {
      for (const value of ['fra', '0', ['fra']])
        expect(outcomeOf('note = n', { [key]: value })).toBe('access_malformed')
    },
  )

  test('a state that is too old is unavailable, and says how fresh it had to be', () => {
    const token = mint(['staleness <= 5s', 'staleness <= 500ms', 'staleness <= 2s'])
    const judged = (stalenessMs?: number): unknown =>
      new Node().judge(token, { org: 'acme' }, stalenessMs === undefined ? {} : { stalenessMs })
    expect(judged(500)).toMatchObject({ ok: true })
    for (const age of [501, 60_000, Number.NaN, undefined]) {
      expect(judged(age)).toMatchObject({ reason: 'unavailable', stalenessWantedMs: 500, caveat: 'staleness <= 500ms' })
    }
  })

  test('no fresher state is asked for where another caveat refuses anyway', () => {
    expect(outcome(new Node().judge(mint(['staleness <= 1ms', 'op = read']), { org: 'acme', op: 'write' }))).toBe(
      'caveat_refused',
    )
  })
})

describe('predicates on values', () => {
  test.each([
    ['path prefix /a/', { path: '/a/b' }, 'ok'],
    ['path prefix /a/', { path: '/a/../b' }, 'caveat_refused'],
    ['path prefix /a/', { path: '/a/%2e%2e/b' }, 'caveat_refused'],
    ['path = /a', { path: '/a' }, 'ok'],
    ['path in /a,/b', { path: '/b' }, 'ok'],
    ['path in /a,/b', { path: '/c' }, 'caveat_refused'],
    ['ip in 10.0.0.0/8,2001:db8::/32', { ip: '::ffff:10.1.1.1' }, 'ok'],
    ['ip in 10.0.0.0/8,2001:db8::/32', { ip: '2001:db8::5' }, 'ok'],
    ['ip in 10.0.0.0/8', { ip: '10.0.0.0/8' }, 'caveat_refused'],
    ['ip = 127.0.0.1', { ip: '127.0.0.1' }, 'ok'],
    ['size <= 102400', { size: '102400' }, 'ok'],
    ['size <= 102400', { size: '102401' }, 'caveat_refused'],
  ])('%s, asked for %j: %s', (caveat, access, expected) => {
    expect(outcomeOf(caveat, access)).toBe(expected)
  })
})
