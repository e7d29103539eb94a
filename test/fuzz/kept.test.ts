/** Replays the inputs that earlier runs found: each must still end as it did. */
import { afterAll, expect, it } from 'vitest'
import { keptBytes, keptInputs } from './kept.ts'
import { removeScratch } from './scratch.ts'
import { fuzzOne } from './target.ts'
import { TARGETS } from './targets/list.ts'

const BYTES_MAX = 100 * 1024

afterAll(removeScratch)

it('ends every kept input as it ended when it was found', async () => {
  const kept = keptInputs()
  expect(kept.length).toBeGreaterThan(TARGETS.length)
  const ended: string[] = []
  for (const { target, input } of kept) {
    const found = TARGETS.find(({ name }) => name === target)
    ended.push(found === undefined ? `there is no target ${target}` : await fuzzOne(found, input))
  }
  expect(ended).toEqual(kept.map(({ outcome }) => outcome))
})

it('keeps few bytes', () => {
  expect(keptBytes()).toBeLessThan(BYTES_MAX)
})
