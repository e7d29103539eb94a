/** Paths of accesses: what a prefix clears must lie below it, whatever a server behind makes of the path. */
import { AskedValue } from '../../../shared/macaroon/predicate/asked-value.ts'
import { compilePredicate } from '../../../shared/macaroon/predicate/compile.ts'
import { isPlainPath } from '../../../shared/macaroon/predicate/path.ts'
import { lenientReadings, placesOf } from '../../interop/paths/lenient-decoders.ts'
import { isPlainByModel } from '../../shared/macaroon/predicate/plain-path-model.ts'

/** Several prefixes: a file, a folder, and one that is only almost the beginning. */
const PREFIXES = ['/a', '/a/', '/a/b', '/photos/2026/'].map((prefix) => ({
  prefix,
  predicate: compilePredicate(`path prefix ${prefix}`),
}))

/** Lenient decoders one behind the other: so many, or so many readings. */
const ROUNDS = 5
const READINGS_MAX = 64

export function fuzzPath(input: Buffer): string {
  const path = input.toString('utf8')
  if (isPlainPath(path) !== isPlainByModel(path))
    throw new Error(`${JSON.stringify(path)} is folded otherwise than as a whole`)
  const asked = new AskedValue(path)
  const outcomes = PREFIXES.map(({ prefix, predicate }) => {
    if (predicate.kind !== 'value') throw new Error('a prefix is not understood')
    if (!predicate.allows(asked)) return '-'
    for (const place of allPlacesOf(path)) {
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

/** Where servers and proxies could take a path to: decoded any number of times, by any of them. */
function allPlacesOf(path: string): readonly string[] {
  const readings = new Set([Buffer.from(path).toString('latin1')])
  let newest: readonly string[] = [...readings]
  for (let round = 0; round < ROUNDS && readings.size < READINGS_MAX; round += 1) {
    newest = newest.flatMap(lenientReadings).filter((reading) => !readings.has(reading))
    for (const reading of newest) readings.add(reading)
  }
  return [new URL(`http://host${path}`).pathname, ...[...readings].flatMap(placesOf)]
}
