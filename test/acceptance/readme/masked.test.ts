/** The comparison of a page with what is printed: what may differ between two runs, and what may not. */
import { describe, expect, test } from 'vitest'
import { shellLines, typedCommands } from './blocks.ts'
import { masked } from './masked.ts'
import { expectOutput } from './typist.ts'

describe('the masks', () => {
  test.each([
    ['ids of tokens', 'accepted: 3f8c….01a2… for alice', `accepted: ${'0a'.repeat(8)}.${'1b'.repeat(16)} for alice`],
    ['times', 'expires 2026-12-02T13:50:18.000Z', 'expires 2027-01-01T00:00:00Z'],
    ['tokens', 'mcn1_…', 'mcn1_AgEDZGV2_-x.8e5493b2'],
    ['peers and pids', 'in fra by 12D3KooW… (pid 1)', `in fra by 12D3Koo${'W'.repeat(45)} (pid 22)`],
    ['durations and widths', 'lease 4840 ms   up 2 h', 'lease 3 ms  up 15 min'],
  ])('hide %s', (_, shown, printed) => {
    expect(masked(printed)).toBe(masked(shown))
  })

  test.each([
    ['a word', 'refused (revoked): it is revoked', 'refused (expired): it is expired'],
    ['a name', 'accepted: 3f8c….01a2… for alice of acme', 'accepted: 3f8c….01a2… for bob of acme'],
    ['a count', 'would apply to 2 tokens on record', 'would apply to 3 tokens on record'],
    ['the published bound', 'revocations bind within 5.1 s', 'revocations bind within 9.9 s'],
    ['a line', 'one\ntwo', 'one'],
  ])('do not hide %s', (_, shown, printed) => {
    expect(masked(printed)).not.toBe(masked(shown))
  })

  test('a line of dots stands for any lines, and for nothing else', () => {
    expectOutput('first\nsecond\nlast', 'first\n…\nlast', 'a command')
    expect(() => expectOutput('other\nlast', 'first\n…\nlast', 'a command')).toThrow(/a command/)
    expect(() => expectOutput('first\nother', 'first\n…\nlast', 'a command')).toThrow(/a command/)
  })
})

describe('the commands of a block', () => {
  test('have the exit status and the output that the page shows', () => {
    expect(typedCommands('$ one --a \\\n    --b\nits output\nmore\n$ two  # exit 3\n')).toEqual([
      { line: 'one --a --b', status: 0, output: 'its output\nmore' },
      { line: 'two  # exit 3', status: 3, output: '' },
    ])
    expect(shellLines('# a comment\n\none\ntwo # exit 2\n')).toEqual([
      { line: 'one', status: 0 },
      { line: 'two # exit 2', status: 2 },
    ])
  })
})
