/** Paths of accesses: what a prefix clears must lie below it, whatever a server behind makes of the path. */
import { posix } from 'node:path'
import { compilePredicate } from '../../../shared/macaroon/predicate/compile.ts'

/** Several prefixes: a file, a folder, and one that is only almost the beginning. */
const PREFIXES = ['/a', '/a/', '/a/b', '/photos/2026/'].map((prefix) => ({
  prefix,
  predicate: compilePredicate(`path prefix ${prefix}`),
}))

export function fuzzPath(input: Buffer): string {
  const path = input.toString('utf8')
  const outcomes = PREFIXES.map(({ prefix, predicate }) => {
    if (predicate.kind !== 'value') throw new Error('a prefix is not understood')
    if (!predicate.allows(path)) return '-'
    for (const place of placesOf(path)) {
      if (!isUnder(place, prefix))
        throw new Error(`${JSON.stringify(path)} clears ${prefix}, and may resolve to ${place}`)
    }
    return '+'
  })
  return outcomes.join('')
}

function isUnder(place: string, prefix: string): boolean {
  const folder = prefix.replace(/\/$/, '')
  return place === folder || place.startsWith(`${folder}/`)
}

/** Where servers and proxies could take a path to: decoded any number of times, with or without its odd characters. */
function placesOf(path: string): readonly string[] {
  const places = [new URL(`http://host${path}`).pathname]
  let decoded = path
  for (let round = 0; round < 5; round += 1) {
    const plain = decoded
      .replaceAll('\\', '/')
      .replaceAll(/[\t\r\n]/g, '')
      .replace(/[?#\0].*$/s, '')
    places.push(posix.normalize(decoded), posix.normalize(plain), posix.normalize(plain.replaceAll(/;[^/]*/g, '')))
    decoded = percentDecoded(decoded)
  }
  return places
}

/** Byte by byte, as lenient servers do: nothing is refused, and overlong forms of dots and slashes count. */
function percentDecoded(path: string): string {
  return path
    .replaceAll(/%c0%ae/gi, '.')
    .replaceAll(/%c0%af/gi, '/')
    .replaceAll(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}
