import { expect, test } from 'vitest'
import type { Evidence, ReportedPositions } from '../../../ops/restore/evidence.ts'
import { differencesOf, type Repaired } from '../../../ops/restore/repaired.ts'
import { parsePosition, type Position } from '../../../shared/position.ts'

const at = (txid: number, checksum: number): Position =>
  parsePosition(`1.${txid.toString(16).padStart(16, '0')}.${checksum.toString(16).padStart(16, '0')}`)

const repaired: Repaired = {
  pages: { path: '', position: at(9, 0xa9), used: [], remarks: [], isNewest: true, beyond: undefined },
  copy: { folder: '', database: '', role: 'primary', journal: undefined },
  checksumAt: ({ txid }) => (txid < 9 ? at(9, 0xa0 + txid).checksum : undefined),
  unread: ['the archive cannot be read'],
}

function said(reported: ReportedPositions): readonly string[] {
  const one = { from: 'replica fra', reported } as Evidence
  return differencesOf(repaired, [], [one]).slice(1)
}

test('a replica that fits, wherever it stands, is no difference', () => {
  for (const txid of [3, 9]) expect(said({ stated: at(txid, 0xa0 + txid), signed: at(txid, 0xa0 + txid) })).toEqual([])
  expect(said({ stated: at(9, 0xa9), signed: undefined })).toEqual([])
})

test('a replica with another checksum, stated or signed, is named', () => {
  expect(said({ stated: at(9, 0xff), signed: undefined })).toEqual([
    expect.stringMatching(/^after transaction 9 replica fra/),
  ])
  expect(said({ stated: at(9, 0xa9), signed: at(5, 0xff) })).toEqual([
    expect.stringMatching(/^after transaction 5 the authority/),
  ])
})

test('a replica that is beyond is named with the command and its signature, if it has one', () => {
  const [unsigned = ''] = said({ stated: at(12, 1), signed: at(9, 0xa9) })
  expect(unsigned).toMatch(/replica fra is ahead .*transaction 12\. .*--from-replica FOLDER --old-data/)
  expect(said({ stated: at(12, 1), signed: at(11, 1) })[0]).toContain('which the authority has signed')
})

test('a place that could not be read is a difference', () => {
  expect(differencesOf(repaired, [], [])).toEqual(['the archive cannot be read'])
})
