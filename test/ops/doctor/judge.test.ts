import { describe, expect, test } from 'vitest'
import {
  judgeClock,
  judgeDescriptors,
  judgePrimaryOf,
  judgeProfile,
  judgeRoom,
  type PeerAnswer,
} from '../../../ops/doctor/judge.ts'
import { type ErrorCode, MacaroondError } from '../../../shared/errors.ts'

const MB = 1_000_000
const room = {
  data: '/data',
  freeBytes: 900 * MB,
  freeInodes: 0,
  inodes: 0,
  databaseBytes: 100 * MB,
  reserveBytes: 16 * MB,
}

describe('the room on the disk', () => {
  test('is enough for a snapshot and a drill, or a warning says what they need', () => {
    expect(judgeRoom(room)).toEqual([])
    expect(judgeRoom({ ...room, freeBytes: 200 * MB })).toMatchObject([
      { severity: 'warning', code: 'disk_room_low', reason: expect.stringContaining('up to 232 MB') },
    ])
  })

  test('is an error below the size at which the node takes it for full', () => {
    expect(judgeRoom({ ...room, freeBytes: 15 * MB })).toMatchObject([{ severity: 'error', code: 'disk_full' }])
  })

  test('counts inodes, where the file system has a number of them', () => {
    expect(judgeRoom({ ...room, inodes: 1_000_000, freeInodes: 12 })).toMatchObject([
      { code: 'disk_room_low', reason: expect.stringContaining('12 free inodes') },
    ])
  })
})

test('open files are counted against the peers that may connect', () => {
  expect(judgeDescriptors(1_024, 10)).toEqual([])
  expect(judgeDescriptors(undefined, 4_000)).toEqual([])
  expect(judgeDescriptors(1_024, 1_000)).toMatchObject([
    { code: 'descriptors_low', action: expect.stringContaining('LimitNOFILE=8512') },
  ])
})

test('a clock is wrong by what the time of the call does not explain', () => {
  const sample = { who: 'the primary at a:1', askedMs: 10_000, answeredMs: 12_000 }
  expect(judgeClock({ ...sample, wallMs: 13_900 })).toEqual([])
  expect(judgeClock({ ...sample, wallMs: 60_000 })).toMatchObject([
    { code: 'clock_differs', reason: 'the clock of the primary at a:1 is 49.0 s ahead of that of this machine' },
  ])
  expect(judgeClock({ ...sample, wallMs: 0 })[0]?.reason).toContain('11.0 s behind')
})

const answered = (kind: PeerAnswer['kind'], code?: ErrorCode, message: string = ''): PeerAnswer => ({
  who: `the ${kind}`,
  kind,
  error: code === undefined ? undefined : new MacaroondError(code, message),
})
const asRole = (kind: PeerAnswer['kind'], role: string): PeerAnswer =>
  answered(kind, 'peer_refused', `a ${role} may not open admin`)
const unknownTo = (kind: PeerAnswer['kind']): PeerAnswer =>
  answered(kind, 'peer_refused', 'this node does not know the peer 12D3Koo')

describe('the role of an identity', () => {
  test('of a replica is that which its primary gives it', () => {
    expect(judgePrimaryOf(asRole('primary', 'replica'))).toEqual([])
    expect(judgePrimaryOf(asRole('primary', 'worker'))).toMatchObject([
      { code: 'peer_refused', reason: 'the primary lists this identity as worker, not as replica' },
    ])
    expect(judgePrimaryOf(unknownTo('primary'))).toMatchObject([{ reason: expect.stringContaining('does not know') }])
  })

  test.each([
    ['an operator, whom all nodes know', [answered('primary'), answered('replica')]],
    ['a worker, whom the primary need not know', [unknownTo('primary'), asRole('replica', 'worker')]],
    ['a signer, whom replicas need not know', [asRole('primary', 'signer'), unknownTo('replica')]],
  ])('in a profile is right for %s', (_, answers) => {
    expect(judgeProfile(answers)).toEqual([])
  })

  test('in a profile is wrong if a node lacks it, or gives another', () => {
    expect(judgeProfile([answered('primary'), unknownTo('replica')])).toHaveLength(1)
    expect(judgeProfile([unknownTo('primary'), unknownTo('replica')])).toHaveLength(2)
    expect(judgeProfile([answered('primary'), asRole('replica', 'worker')])).toMatchObject([
      { reason: expect.stringContaining('operator (the primary), worker (the replica)') },
    ])
  })

  test('does not hide a node that is not reached, or is another machine', () => {
    const away = [
      answered('primary', 'connect_failed'),
      asRole('replica', 'worker'),
      answered('replica', 'peer_mismatch'),
    ]
    expect(judgeProfile(away).map(({ code }) => code)).toEqual(['connect_failed', 'peer_mismatch'])
    expect(judgeProfile([answered('primary', 'connect_failed')])).toHaveLength(1)
  })
})
