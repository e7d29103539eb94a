import { describe, expect, test } from 'vitest'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { readFacts } from '../../../shared/verifier/access.ts'
import { mint, Node, outcome } from './fixture.ts'

const judged = (access: unknown): string => outcome(new Node().judgeAnything(encodeTokenText(mint([])), access))

describe('an access', () => {
  test('without an org is refused', () => {
    for (const access of [{}, { op: 'read' }, Object.create({ org: 'acme' }), [], 7])
      expect(judged(access)).toBe('org_missing')
  })

  test.each([
    ['null', null],
    ['nothing', undefined],
    ['text', 'org'],
    ['a list', ['acme']],
    ['an org that is a number', { org: 1 }],
    ['an org that is absent', { org: undefined }],
    ['two orgs', { org: ['acme', 'other'] }],
    ['no org in a list', { org: [] }],
    ['an org of 65 characters', { org: 'a'.repeat(65) }],
    ['an empty value', { org: 'acme', op: '' }],
    ['an absent value, which would switch a conditional caveat off', { org: 'acme', op: undefined }],
    ['an empty list, which every caveat would allow', { org: 'acme', op: [] }],
    ['a list with a hole', { org: 'acme', op: Array.from({ length: 2 }) }],
    ['a nested list', { org: 'acme', op: [['read']] }],
    ['a number', { org: 'acme', size: 5 }],
    ['an object with a text of its own', { org: 'acme', op: { toString: () => 'read' } }],
    ['a boxed text', { org: 'acme', op: Object('read') }],
    ['a key with a question mark', { org: 'acme', 'op?': 'read' }],
    ['an empty key', { org: 'acme', '': 'read' }],
    ['a key of 65 characters', { org: 'acme', ['k'.repeat(65)]: 'v' }],
    ['a value of 4097 characters', { org: 'acme', v: 'x'.repeat(4097) }],
    ['257 values', { org: 'acme', v: Array.from({ length: 257 }, () => 'x') }],
    ['65 keys', Object.fromEntries([['org', 'acme'], ...Array.from({ length: 64 }, (_, i) => [`k${i}`, 'v'])])],
    [
      'a getter that throws',
      {
        get org(): string {
          throw new Error('no')
        },
      },
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
        },
      ),
    ],
  ])('that is %s is malformed', (_, access) => {
    expect(judged(access)).toBe('access_malformed')
  })

  test('of a list with one org is that org', () => {
    expect(judged({ org: ['acme'] })).toBe('ok')
  })

  test('is read once: what its getters say later does not count', () => {
    let reads = 0
    const access = {
      org: 'acme',
      get op(): string {
        return (reads += 1) === 1 ? 'read' : 'write'
      },
    }
    expect(outcome(new Node().judge(mint(['op = read', 'op = read']), access))).toBe('ok')
    expect(reads).toBe(1)
  })

  test('leaves no trace on prototypes', () => {
    const facts = readFacts(JSON.parse('{"org":"acme","__proto__":"x"}'), { nowEarliestMs: 0, nowLatestMs: 0 })
    expect(facts).toMatchObject({ org: 'acme' })
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })
})
