import { expect, test } from 'vitest'
import { readRevocation, recordOf, revocationRow } from '../../../shared/verifier/revocation-row.ts'

const TOKEN = { seq: 7, kind: 'token', kid: 'ab'.repeat(8), nonce: 'cd'.repeat(16), expiresAt: 9 }

test('a row without its number or kind is no revocation, alone or in a message', () => {
  const { seq: _, ...unnumbered } = TOKEN
  const { kind: __, ...nameless } = TOKEN
  for (const value of [unnumbered, nameless, { ...TOKEN, seq: 0 }, { ...TOKEN, seq: '7' }, 'token', null, []]) {
    expect(readRevocation(value)).toBeUndefined()
    expect(revocationRow.safeParse(value).error?.issues[0]?.message).toContain('lacks its number or its kind')
  }
})

test('a record that names one token denies it, whatever else in it is wrong', () => {
  const { expiresAt: _, ...named } = TOKEN
  for (const value of [named, { ...TOKEN, expiresAt: -1 }, { ...TOKEN, expiresAt: 'never' }]) {
    expect(readRevocation(value)).toEqual({ ...named, expiresAt: 0, poison: true })
  }
})

test('a row from a newer version is passed on unchanged', () => {
  const newer = { seq: 8, kind: 'colour', colour: 'red', nested: { of: [1] } }
  const row = readRevocation(newer)
  expect(row).toMatchObject({ kind: 'unknown', seq: 8 })
  expect(row === undefined ? undefined : recordOf(row)).toEqual(newer)
})
