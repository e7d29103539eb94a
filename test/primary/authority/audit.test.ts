import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextAuditRow } from '../../../primary/authority/audit.ts'
import {
  AUDIT_GENESIS,
  firstBrokenAuditRow,
  type AuditHead,
  type AuditRow,
} from '../../../shared/database/audit-chain.ts'
import type { Minted } from '../../../primary/authority/commands.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import { ACTOR, Authority } from './fixture.ts'

const GENESIS: AuditHead = { seq: 0, hash: AUDIT_GENESIS }

function chainOf(length: number): AuditRow[] {
  const rows: AuditRow[] = []
  for (let count = 1; count <= length; count += 1) {
    const entry = { atMs: count, actor: 'a', action: 'token.mint', org: 'acme', target: `t${count}`, detail: { count } }
    rows.push(nextAuditRow(rows.at(-1) ?? GENESIS, entry))
  }
  return rows
}

test('every command that is done leaves exactly one record, and the chain of them holds', () => {
  const authority = new Authority()
  authority.createOrg('acme')
  const { id } = authority.mint().answer as Minted
  const revocation = { expiresAt: 0, recorded: true, reason: 'gone' }
  authority.do({ kind: 'token.revoke', actor: ACTOR, ...parseTokenId(id), ...revocation })
  authority.do({ kind: 'replica.refused', actor: ACTOR, message: 'it is ahead' })
  const records = authority.rows.flatMap((written) => (written.table === 'audit' ? [written.row] : []))
  expect(records.map(({ action }) => action)).toEqual(['org.create', 'token.mint', 'token.revoke', 'replica.refused'])
  expect(records.map(({ actor }) => actor)).toEqual(Array(4).fill(ACTOR.text))
  expect(firstBrokenAuditRow(GENESIS, records)).toBeUndefined()
  expect(authority.state.audit).toMatchObject({ seq: 4, hash: records.at(-1)?.hash })
})

const FIELDS = ['atMs', 'actor', 'action', 'org', 'target', 'detail'] as const

test('a record that was changed in any field is found', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9 }), fc.constantFrom(...FIELDS), (index, field) => {
      const rows = chainOf(10)
      const record = rows[index]
      if (record === undefined) throw new Error('no such record')
      rows[index] = { ...record, [field]: field === 'atMs' ? record.atMs + 1 : `${String(record[field])}x` }
      expect(firstBrokenAuditRow(GENESIS, rows)?.seq).toBe(index + 1)
    }),
  )
})

test('a record that was dropped, doubled, put in or put elsewhere is found', () => {
  const rows = chainOf(6)
  const [first, second, third, ...rest] = rows
  if (first === undefined || second === undefined || third === undefined) throw new Error('no rows')
  expect(firstBrokenAuditRow(GENESIS, [first, third, ...rest])).toBe(third)
  expect(firstBrokenAuditRow(GENESIS, [first, second, second, third])).toBe(second)
  expect(firstBrokenAuditRow(GENESIS, [second, first, third])).toBe(second)
  expect(firstBrokenAuditRow(GENESIS, [first, { ...third, seq: 2 }, third])).toMatchObject({ seq: 2 })
})

test('a chain can be checked from any record on', () => {
  const rows = chainOf(6)
  const from = rows[2]
  if (from === undefined) throw new Error('no rows')
  expect(firstBrokenAuditRow(from, rows.slice(3))).toBeUndefined()
  expect(firstBrokenAuditRow({ ...from, hash: AUDIT_GENESIS }, rows.slice(3))).toBe(rows[3])
})

test('fields cannot be shifted into each other', () => {
  const entry = { atMs: 1, actor: 'a', action: 'b', org: 'c', target: 'd', detail: {} }
  const moved = { ...entry, actor: 'a","b', action: '' }
  expect(nextAuditRow(GENESIS, entry).hash).not.toEqual(nextAuditRow(GENESIS, moved).hash)
})
