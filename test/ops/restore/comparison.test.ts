/** S8, the core: which copies are believed. */
import { describe, expect, test } from 'vitest'
import {
  type ArchivedChecksums,
  comparePrimary,
  compareReplica,
  type ReplicaRecord,
} from '../../../ops/restore/comparison.ts'
import type { AppliedState } from '../../../replica/follower/core.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'
import type { Position } from '../../../shared/position.ts'

const LINE = timeline('ab'.repeat(16))
const NOTHING: ArchivedChecksums = () => undefined

function at(number: number, sum: number = number, of: number = 1): Position {
  return { epoch: epoch(of), txid: txid(number), checksum: checksum((1n << 63n) | BigInt(sum)) }
}
const standing = (position: Position): AppliedState => ({ position, timeline: LINE })
const signed = (position: Position): ReplicaRecord['signed'] => ({ position, timeline: LINE })
const records = (...numbers: readonly number[]): AppliedState[] => numbers.map((number) => standing(at(number)))

describe('a replica’s copy', () => {
  test('is believed where pages, record and signature agree; the part beyond is counted', () => {
    const whole = compareReplica(at(4), { standings: records(2, 3, 4), signed: signed(at(4)) }, NOTHING)
    expect(whole).toEqual({ problem: undefined, remarks: [], signed: true })
    const beyond = compareReplica(at(4), { standings: records(2, 3, 4), signed: signed(at(2)) }, NOTHING)
    expect(beyond.problem).toBeUndefined()
    expect(beyond.remarks).toEqual([expect.stringContaining('2 transactions of it, from 3 on')])
  })

  test.each<[string, Position, ReplicaRecord, string]>([
    [
      'its pages are not what its record says',
      at(4, 9),
      { standings: records(3, 4), signed: signed(at(4)) },
      'its record says',
    ],
    [
      'its record is not what was signed',
      at(4, 9),
      { standings: [standing(at(4, 9))], signed: signed(at(4)) },
      'the signature says',
    ],
    [
      'an earlier record is not what was signed',
      at(4),
      { standings: [standing(at(3, 9)), ...records(4)], signed: signed(at(3)) },
      'the signature says',
    ],
    [
      'nothing is recorded for it',
      at(4),
      { standings: records(2, 3), signed: signed(at(3)) },
      'no checksum for transaction 4',
    ],
    ['the record has a hole', at(5), { standings: records(2, 3, 5), signed: signed(at(2)) }, 'lacks transaction 4'],
    [
      'the record begins after the signature',
      at(5),
      { standings: records(4, 5), signed: signed(at(2)) },
      'does not reach back',
    ],
    ['more was signed than it has', at(4), { standings: records(3, 4), signed: signed(at(5)) }, 'beyond its pages'],
    ['a later epoch was signed', at(4), { standings: records(3, 4), signed: signed(at(1, 1, 2)) }, 'beyond its pages'],
    [
      'only an earlier epoch was signed',
      at(4, 4, 2),
      { standings: [standing(at(4, 4, 2))], signed: signed(at(4)) },
      'no position of its epoch',
    ],
    ['nothing is signed', at(4), { standings: records(3, 4), signed: 'missing' }, 'no signed position'],
    [
      'somebody else signed',
      at(4),
      { standings: records(3, 4), signed: 'not the authority’s' },
      'not signed by the authority',
    ],
    [
      'nobody said whose signature counts',
      at(4),
      { standings: records(3, 4), signed: 'keyless' },
      'without the authority’s key',
    ],
  ])('is not believed where %s', (_, pages, record, words) => {
    const compared = compareReplica(pages, record, NOTHING)
    expect(compared.problem).toContain(words)
    expect(compared.signed).toBe(false)
  })

  test('is compared with every archived transaction, and a signed archive stands for a signature', () => {
    const archived = (number: number, sum: number): ArchivedChecksums => {
      return (place) => (place.txid === number && place.epoch === 1 ? at(number, sum).checksum : undefined)
    }
    const record = { standings: records(2, 3, 4), signed: signed(at(4)) }
    expect(compareReplica(at(4), record, archived(4, 9)).problem).toContain('the archive says')
    expect(compareReplica(at(4), record, archived(3, 9)).problem).toContain('the archive says')
    const unsigned = { standings: records(2, 3, 4), signed: 'missing' } as const
    expect(compareReplica(at(4), unsigned, archived(4, 4))).toEqual({ problem: undefined, remarks: [], signed: true })
    expect(compareReplica(at(4), unsigned, archived(3, 3)).problem).toContain('no signed position')
    const older = { standings: records(2, 3, 4), signed: signed(at(5)) }
    expect(compareReplica(at(4), older, archived(4, 4)).problem).toContain('beyond its pages')
  })
})

describe('a primary’s disk', () => {
  const sound = { pages: at(4), logged: [at(3), at(4)], captured: 0, tornBytes: 0 }

  test('that ends as after a crash is reported so', () => {
    expect(comparePrimary(sound, NOTHING)).toEqual({ problem: undefined, remarks: [], signed: false })
    expect(comparePrimary({ ...sound, captured: 2 }, NOTHING).remarks).toEqual([
      expect.stringContaining('ends as after a crash, 2 transactions before its WAL'),
    ])
    expect(comparePrimary({ ...sound, tornBytes: 7 }, NOTHING).remarks).toEqual([
      expect.stringContaining('in the middle of a record (7 bytes)'),
    ])
  })

  test('is not believed where the archive has other content at any transaction that its log has', () => {
    const archived: ArchivedChecksums = ({ txid: number }) => (number === 3 ? at(3, 9).checksum : undefined)
    expect(comparePrimary(sound, archived).problem).toContain('the archive says')
    expect(comparePrimary(sound, ({ txid: number }) => at(number).checksum).signed).toBe(true)
  })
})
