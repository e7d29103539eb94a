/** What a reload says of a new configuration. */
import { expect, test } from 'vitest'
import { differingKeys } from '../../../shared/service/reload.ts'

test('a key that differs is named with its table, and a list is one value', () => {
  const before = { data: 'd', freshness: { lease_ms: 5_000, ping_ms: 500 }, archive: { copies: ['a'] }, kek: undefined }
  expect(differingKeys(before, { ...before })).toEqual([])
  expect(differingKeys(before, { data: 'd', freshness: before.freshness, archive: { copies: ['a'] } })).toEqual([])
  const now = { data: 'e', freshness: { lease_ms: 9_000, ping_ms: 500 }, archive: { copies: ['a', 'b'] }, log: {} }
  expect(differingKeys(before, now)).toEqual(['data', 'freshness.lease_ms', 'archive.copies', 'log'])
})
