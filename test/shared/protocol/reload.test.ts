/** What a reload says in words, and the answer as it is read. */
import { expect, test } from 'vitest'
import { reloadResult, reloadText } from '../../../shared/protocol/reload.ts'

test('the sentence of a reload names at most 20 of each', () => {
  const none = { added: [], removed: [], changed: [] }
  expect(reloadText({ peers: none, applied: [], restart: [] })).toBe('nothing in it changed')
  const added = Array.from({ length: 22 }, (_, n) => `w${n} (worker)`)
  const said = reloadText({ peers: { ...none, added }, applied: ['verify_open'], restart: ['data'] })
  expect(said).toMatch(/^added w0 \(worker\), .* and 2 more; in force now: verify_open; needs a restart: data$/)
})

test('the answer of a node is read, and anything else is not', () => {
  const answer = { peers: { added: ['a (worker)'], removed: [], changed: [] }, applied: [], restart: ['data'] }
  expect(reloadResult.parse(answer)).toEqual(answer)
  for (const wrong of [null, {}, { ...answer, restart: 'data' }, { ...answer, peers: [] }])
    expect(reloadResult.safeParse(wrong).success).toBe(false)
})
