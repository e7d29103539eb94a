import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyOfRow, rowOfColumns } from '../../../shared/database/revocation-log.ts'
import {
  type KnownRevocation,
  readRevocation,
  recordOf,
  type RevocationRow,
} from '../../../shared/verifier/revocation-row.ts'

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'))
const seq = fc.integer({ min: 1, max: 2 ** 53 - 1 })
const time = fc.nat({ max: 2 ** 53 - 1 })
const common = { seq, expiresAt: time }
const org = fc.constantFrom('acme', 'a', 'a.b-c_d')
const subject = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 })

const known: fc.Arbitrary<KnownRevocation> = fc.oneof(
  fc.record({ ...common, kind: fc.constant('token' as const), kid: hex(8), nonce: hex(16) }),
  fc.record({ ...common, kind: fc.constant('subject' as const), org, subject, untilMs: time }),
  fc.record({ ...common, kind: fc.constant('org' as const), org, untilMs: time }),
  fc.record({ ...common, kind: fc.constant('key' as const), org, kid: hex(8) }),
  fc.record({ ...common, kind: fc.constant('org_disabled' as const), org }),
)

const columnsOf = (row: KnownRevocation): Parameters<typeof rowOfColumns>[0] => {
  return {
    seq: row.seq,
    kind: row.kind,
    org: 'org' in row ? row.org : 'acme',
    key: keyOfRow(row),
    expires_at: row.expiresAt,
  }
}

test('a revocation of every kind reads back from its columns, and from JSON', () => {
  fc.assert(
    fc.property(known, (row) => {
      expect(rowOfColumns(columnsOf(row))).toEqual(row)
      expect(readRevocation(JSON.parse(JSON.stringify(recordOf(row))))).toEqual(row)
    }),
  )
})

test('a key of wrong length and a subject that is no text are not understood, and name nothing', () => {
  fc.assert(
    fc.property(known, fc.nat(40), (row, length) => {
      const columns = columnsOf(row)
      const isOfItsLength = row.kind === 'subject' ? length > 8 : length === columns.key.length
      fc.pre(!isOfItsLength)
      const read = rowOfColumns({ ...columns, key: Buffer.alloc(length, 0xff) })
      // What a disabled org holds beyond its name is passed over.
      expect(read.kind).toBe(row.kind === 'org_disabled' ? 'org_disabled' : 'unknown')
    }),
  )
  const invalid = Buffer.concat([Buffer.alloc(8), Buffer.from([0xff])])
  expect(rowOfColumns({ seq: 1, kind: 'subject', org: 'acme', key: invalid, expires_at: 0 }).kind).toBe('unknown')
})

test('an unknown kind, with any fields, is reported as unknown and passed on unchanged', () => {
  const record = { seq: 7, kind: 'device', device: { serial: [1, 2] }, since: 'yesterday' }
  const row = readRevocation(record) as RevocationRow
  expect(row).toEqual({ kind: 'unknown', seq: 7, record })
  expect(recordOf(row)).toEqual(record)
  expect(rowOfColumns({ seq: 3, kind: 'device', org: 'acme', key: Buffer.from('x'), expires_at: 0 })).toMatchObject({
    kind: 'unknown',
    seq: 3,
  })
})

test('a wrong record that names one token denies that token; any other is not understood', () => {
  const token = { seq: 1, kind: 'token', kid: '1'.repeat(16), nonce: '2'.repeat(32) }
  for (const expiresAt of [undefined, -1, 'soon']) {
    expect(readRevocation({ ...token, expiresAt })).toEqual({ ...token, expiresAt: 0, poison: true })
  }
  const key = Buffer.from(token.kid + token.nonce, 'hex')
  expect(rowOfColumns({ seq: 1, kind: 'token', org: 'acme', key, expires_at: -5 })).toMatchObject({ poison: true })
  for (const wrong of [
    { ...token, nonce: '2'.repeat(31), expiresAt: 0 },
    { ...token, kid: 'x'.repeat(16), expiresAt: 0 },
    { seq: 1, kind: 'subject', org: 'acme', subject: 'alice', expiresAt: 0 },
    { seq: 1, kind: 'org', org: 'Acme', untilMs: 1, expiresAt: 0 },
    { seq: 1, kind: 'unknown' },
  ]) {
    expect(readRevocation(wrong)).toMatchObject({ kind: 'unknown', seq: 1 })
  }
})

test('a record without a number or a kind is no revocation', () => {
  for (const value of [undefined, null, 1, 'x', [], {}, { seq: 1 }, { kind: 'token' }, { seq: 0, kind: 'token' }]) {
    expect(readRevocation(value)).toBeUndefined()
  }
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const row = readRevocation(value)
      expect(row === undefined || row.seq > 0).toBe(true)
    }),
  )
})
