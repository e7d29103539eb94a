import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isPlainPath, liesUnder } from '../../../../shared/macaroon/predicate/path.ts'

/** Ways out of `/a/` that some server, proxy or URL parser is known to take. */
const TRAVERSALS = [
  '/a/..',
  '/a/../b',
  '/a/./b',
  '/a/.',
  '/./a/b',
  '/a/b/../../c',
  '/a/.. ',
  '/a/..  ;x/b',
  '/a/..%20',
  '/a/..+/b',
  '/a/.+',
  '/a/ ../b',
  '/a/%20../b',
  '/a/%2b..%2b/b',
  '/a/..\u00a0/b',
  '/a/..%3fb',
  '/a/..%23',
  '/a/..%253fb',
  '/a/..%253bx/b',
  '/a/..%2520',
  '/a/%25c0%25ae%25c0%25ae/b',
  '/a/%25e0%2580%25ae./b',
  `/a/%${'25'.repeat(12)}41`,
  // Each of these was encoded twice, and in a way that a search of the raw text for one spelling misses.
  '/a/%25%63%30%25%61%65%25%63%30%25%61%65/x',
  '/a/%25%32%65%25%32%65/x',
  '/a/%25u002e%25u002e/x',
  '/a/%25%75002e%25%75002e/x',
  '/a/%25U002E./x',
  '/a/%25e0%25%38%30%25ae%25e0%25%38%30%25ae/x',
  '/a/%25f0%2580%2580%25ae./x',
  '/a/%25f8%2580%2580%2580%25af..',
  '/a/%25fc%2580%2580%2580%2580%25ae./x',
  '/a/%25ed%25a0%2580/x',
  '/a/%25ff',
  '/a/%25ae%25ae/x',
  '/a/%%32%65%%32%65/x',
  '/a/%25%25%32%65/x',
  // Dots, slashes and percent signs that compatibility forms (NFKC) make, or that show when what is invisible is dropped.
  '/a/．．/x',
  '/a/‥/x',
  '/a/․․/x',
  '/a/．./x',
  '/a/b／..／c',
  '/a/b＼c',
  '/a/℀',
  '/a/％2e％2e/x',
  '/a/%EF%BC%8E%EF%BC%8E/x',
  '/a/%25EF%25BC%258E./x',
  '/a/%25％２e./x',
  '/a/..；x/b',
  '/a/.\u200b./b',
  '/a/..\u00ad/b',
  '/a/..\u2060',
  '/a/\u{e0041}../b',
  '/a/.%E2%80%8B./b',
  '/a/%252%E2%80%8Be./b',
  '/a/..\ufe0f/b',
  '/a/..;/b',
  '/a/..;x=1/b',
  '/a/.;/b',
  '/a/..%3b/b',
  '/a/%2e%2e/b',
  '/a/%2E%2E/b',
  '/a/.%2e/b',
  '/a/%2e./b',
  '/a/%252e%252e/b',
  '/a/%25252e%25252e/b',
  '/a/..%2fb',
  '/a/..%2Fb',
  '/a/b%2fc',
  '/a/..%252fb',
  '/a/..%5cb',
  '/a/..%255cb',
  '/a/..\\b',
  '/a\\b',
  '\\a\\b',
  '/a/b\u0000.txt',
  '/a/b%00.txt',
  '/a/b%2500',
  '/a/.\t./b',
  '/a/.\n./b',
  '/a/.%09./b',
  '/a/.%0d%0a./b',
  '/a/%c0%ae%c0%ae/b',
  '/a/%c0%af../b',
  '/a/%e0%80%ae%e0%80%ae/b',
  '/a/%u002e%u002e/b',
  '/a/%',
  '/a/%2',
  '/a/%zz',
  '/a/..?x',
  '/a/x?y=/../..',
  '/a/..#x',
  '/a/x#y',
  '/a/\u0085b',
  '/a/À®À®/x',
  '/a/À®./x',
  '/a/..À¯x',
  '/a/À¥2e./x',
  '/a/%C3%80%C2%AE./x',
  '/a/\ud800',
  'a/b',
  '../a',
  '',
  'https://example.org/a/b',
]

const PLAIN = [
  '/a/VOILÀ»',
  '/a/À b®',
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a//b',
  '/a/b.txt',
  '/a/.hidden',
  '/a/..b',
  '/a/b..',
  '/a/...',
  '/a/b%20c',
  '/a/b c',
  '/a/%C3%A4',
  '/a/ä',
  '/a/C%23.pdf',
  '/a/100%25',
  '/a/100%2525',
  '/a/100%25%20sure',
  '/a/50%25off',
  '/a/%25C3%25A4',
  '/a/%E0%A4%95%E2%80%8D%E0%A4%B7',
  '/a/ﬁn',
  '/a/１２',
  '/a/e\u0301',
  '/a/b;v=1',
  '/a/b@c:d',
]

describe('paths', () => {
  test.each(TRAVERSALS)('%j is refused: it may mean another place to somebody', (path) => {
    expect(isPlainPath(path)).toBe(false)
  })

  test.each(PLAIN)('%j means one place', (path) => {
    expect(isPlainPath(path)).toBe(true)
  })

  test.each([
    ['/a/b', '/a/', true],
    ['/a/', '/a/', true],
    ['/a', '/a/', false],
    ['/ab', '/a/', false],
    ['/a', '/a', true],
    ['/a/b', '/a', true],
    ['/ab', '/a', false],
    ['/a.b', '/a', false],
    ['/x', '/', true],
    ['//a/x', '/a/', false],
    ['/%61/x', '/a/', false],
  ])('%s under %s: %s', (path, prefix, expected) => {
    expect(liesUnder(path, prefix)).toBe(expected)
  })

  test('a plain path under a prefix is still there after a URL parser resolved it', () => {
    const pieces = fc.constantFrom(
      '/',
      'a',
      '.',
      '..',
      '%2e',
      '%2f',
      '%25',
      '%5c',
      '\\',
      ';',
      '\t',
      'b',
      '?',
      '#',
      '%00',
      '//',
    )
    let plain = 0
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 10 }), (list) => {
        const path = `/a/${list.join('')}`
        if (!isPlainPath(path)) return
        plain += 1
        const resolved = new URL(`https://example.org${path}`).pathname
        expect(resolved.startsWith('/a/')).toBe(true)
        expect(decodeURIComponent(resolved).split(/[/\\]/)).not.toContain('..')
      }),
      { numRuns: 5_000 },
    )
    expect(plain).toBeGreaterThan(200)
  })
})
