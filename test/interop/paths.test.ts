/**
 * S6: what `path prefix /a/` clears is below `/a/` for nginx, Node and Go, and for decoders that are more lenient, also where
 * one decodes behind the other: a path goes through chains of them, three decoders long.
 *
 * PATH_CASES says how many paths (default 6,000), PATH_SEED which ones.
 */
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { AskedValue } from '../../shared/macaroon/predicate/asked-value.ts'
import { compilePredicate } from '../../shared/macaroon/predicate/compile.ts'
import type { Decoder } from './paths/decoder.ts'
import { goDecoders } from './paths/go-decoders.ts'
import { lenientDecoders } from './paths/lenient-decoders.ts'
import { madePath } from './paths/made-paths.ts'
import { startNginx, type Nginx } from './paths/nginx-decoder.ts'
import { nodeDecoders } from './paths/node-decoders.ts'

const CASES = Number(process.env['PATH_CASES'] ?? 6_000)
const SEED = Number(process.env['PATH_SEED'] ?? Date.now() % 2 ** 31)
const CHAIN = 3

const scratch = mkdtempSync(join(tmpdir(), 'macaroond-paths-'))
let nginx: Nginx
const decoders: Decoder[] = []
beforeAll(async () => {
  nginx = await startNginx(scratch)
  decoders.push(lenientDecoders, nodeDecoders, nginx.decoder, await goDecoders(scratch))
})
afterAll(() => {
  nginx.close()
  rmSync(scratch, { recursive: true, force: true })
})

it(`${CASES} paths from seed ${SEED}: none that a prefix clears leaves it, whoever decodes it`, async () => {
  const paths = [...new Set(fc.sample(madePath, { numRuns: CASES, seed: SEED }))]
  const cleared = paths.filter(isCleared)
  const refused = paths.filter((path) => !isCleared(path))
  expect([...(await escapesOf(cleared)).entries()].slice(0, 5)).toEqual([])
  // Both sides have to be there, or the run says nothing: names with escapes that are fine, and ways out that are real.
  expect(cleared.filter((path) => path.includes('%')).length).toBeGreaterThan(CASES / 100)
  expect((await escapesOf(refused.slice(0, CASES / 4))).size).toBeGreaterThan(CASES / 200)
})

const predicate = compilePredicate('path prefix /a/')

function isCleared(path: string): boolean {
  const bytes = Buffer.from(path, 'latin1')
  const text = bytes.toString('utf8')
  // An access is text: what is no UTF-8 cannot be asked for.
  return predicate.kind === 'value' && bytes.equals(Buffer.from(text)) && predicate.allows(new AskedValue(text))
}

/** Which of the paths mean a place outside of `/a/` behind some chain of decoders, and which place. */
async function escapesOf(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const escapes = new Map<string, string>()
  const seen = new Map(paths.map((path) => [path, path]))
  let newest = [...seen.keys()]
  for (let step = 0; step < CHAIN && newest.length > 0; step += 1) {
    const found: string[] = []
    for (const decode of decoders) {
      for (const [at, places] of (await decode(newest)).entries()) {
        const origin = seen.get(newest[at] ?? '') ?? ''
        for (const place of places) {
          if (!isBelow(place)) escapes.set(origin, place)
          else if (!seen.has(place)) found.push(seen.set(place, origin) && place)
        }
      }
    }
    newest = found
  }
  return escapes
}

/** A decoder that stops at a query has said what it takes for the path. */
function isBelow(place: string): boolean {
  return place === '/a' || place.startsWith('/a/')
}
