/** What a restore's preview promises in words. */
import { describe, expect, test } from 'vitest'
import { previewLines } from '../../../ops/restore/report.ts'
import type { Preview } from '../../../ops/restore/restore.ts'

const SURE: Preview = {
  plan: undefined,
  pages: [],
  carried: { revocations: [], there: 5, sources: [], alone: [] },
  revocations: { there: 5, beyond: 0 },
  unread: [],
  remarks: [],
  head: { witnessed: true, by: 'the old primary’s disk' },
  waiting: [],
  refusing: [],
  bytesPerSecond: undefined,
}
const said = (changes: Partial<Preview>): boolean =>
  previewLines({ ...SURE, ...changes }).includes('  no revocation is lost')

describe('that no revocation is lost', () => {
  test('is said where a witness confirmed the newest state and nothing is left out', () => {
    expect(said({})).toBe(true)
  })

  test('is not said without a witness, and where anything is unread or waits', () => {
    expect(said({ head: { witnessed: false, why: 'nobody came' } })).toBe(false)
    expect(said({ head: undefined })).toBe(false)
    expect(said({ unread: ['the copy is not believed'] })).toBe(false)
    expect(said({ waiting: [{ from: 'files without an entry', revocations: [] }] })).toBe(false)
    expect(said({ refusing: [{ from: 'replica fra', revocations: 1 }] })).toBe(false)
    expect(said({ carried: undefined, revocations: { there: 5, beyond: 1 } })).toBe(false)
  })
})
