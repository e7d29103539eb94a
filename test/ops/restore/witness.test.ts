/** S8, the core: decides if a restore saw the newest state, and which confirmations it needs. */
import { describe, expect, test } from 'vitest'
import { withinBounds } from '../../../ops/restore/bounds.ts'
import { carryOver, waitingBeyond } from '../../../ops/restore/carry-over.ts'
import { type Evidence, revocationName, type EvidenceSource } from '../../../ops/restore/evidence.ts'
import { requireConfirmed } from '../../../ops/restore/confirmations.ts'
import { judgeHead, newerThanRead } from '../../../ops/restore/witness.ts'
import type { Configured } from '../../../shared/database/configured.ts'
import type { RevocationColumns } from '../../../shared/database/revocation-columns.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'

const place = (number: number, of: number = 1): NonNullable<Evidence['position']> => ({
  epoch: epoch(of),
  txid: txid(number),
})
const claim = (number: number, of: number = 1): Parameters<typeof newerThanRead>[1][number] => ({
  who: 'you know',
  position: { ...place(number, of), checksum: checksum(1n << 63n) },
})

function told(from: string, source: EvidenceSource, more: Partial<Evidence> = {}): Evidence {
  const numbers = { issueClockMs: 0, leaseMsMax: 0, configured: undefined, database: undefined }
  return { from, source, signed: false, cluster: 'test', position: place(9), revocations: [], ...numbers, ...more }
}

const BOTH: Configured = {
  replicas: [
    { peerId: 'A', region: 'fra' },
    { peerId: 'B', region: 'sin' },
  ],
  durability: 'replica',
  degraded: false,
}
const archive = (configured: Configured | undefined = BOTH): Evidence =>
  told('the archive’s head', { kind: 'archive' }, { configured, signed: true })
const replica = (peerId: string, more: Partial<Evidence> = {}): Evidence =>
  told(`replica ${peerId}`, { kind: 'replica', peerId }, more)
const disk = (number: number, of: number = 1): Evidence =>
  told('old disk', { kind: 'old disk' }, { position: place(number, of) })

const head = (evidence: readonly Evidence[], claims: ReturnType<typeof claim>[] = [], of = 1): boolean =>
  judgeHead({ evidence, claims, epoch: of }).witnessed

describe('the newest state was seen', () => {
  test('by the old primary’s disk of the highest epoch, at or beyond every known position', () => {
    expect(head([archive(undefined), disk(9)])).toBe(true)
    expect(head([archive(undefined), disk(12)])).toBe(true)
    expect(head([archive(undefined), disk(8)])).toBe(false)
    expect(head([archive(undefined), disk(9)], [claim(10)])).toBe(false)
    expect(head([archive(undefined), disk(9)], [], 2)).toBe(false)
    expect(head([archive(undefined), disk(9), replica('A', { position: place(1, 2) })])).toBe(false)
  })

  test('by every replica configured at the newest write, with pages of the highest epoch', () => {
    expect(head([archive(), replica('A'), replica('B')])).toBe(true)
    expect(head([archive(), replica('A')])).toBe(false)
    expect(head([archive(), replica('A'), replica('C')])).toBe(false)
    expect(head([archive(), replica('A'), replica('B', { position: undefined })])).toBe(false)
    expect(head([archive(), replica('A'), replica('B', { unread: ['its journal was lost'] })])).toBe(false)
    expect(head([archive(), replica('A'), replica('B')], [], 2)).toBe(false)
    expect(head([archive({ ...BOTH, degraded: true }), replica('A'), replica('B')])).toBe(false)
    expect(head([archive({ ...BOTH, durability: 'archive' }), replica('A'), replica('B')])).toBe(false)
    expect(head([archive({ ...BOTH, replicas: [] })])).toBe(false)
  })

  test('only counting the newest state: one that a replica has later may name other replicas', () => {
    const later = {
      position: place(10),
      configured: { ...BOTH, replicas: [...BOTH.replicas, { peerId: 'C', region: '' }] },
    }
    expect(head([archive(), replica('A', later), replica('B')])).toBe(false)
    expect(head([archive(), replica('A', later), replica('B'), replica('C')])).toBe(true)
    // A replica of an older version does not say whom its pages name.
    expect(head([archive(), replica('A', { position: place(10) }), replica('B')])).toBe(false)
  })
})

describe('a running replica, whose answer nobody compared,', () => {
  const later = (configured: Configured): Partial<Evidence> => ({ position: place(10), configured })

  test('takes no replica away that a compared state names', () => {
    const alone = later({ ...BOTH, replicas: [{ peerId: 'A', region: 'fra' }] })
    expect(head([archive(), replica('A', alone)])).toBe(false)
    expect(head([archive(), replica('A', alone), replica('B')])).toBe(true)
    const next = { position: place(1, 2), configured: alone.configured }
    expect(head([archive(), replica('A', next)], [], 2)).toBe(false)
  })

  test('does not talk a compared state out of less durability', () => {
    for (const less of [{ degraded: true }, { durability: 'archive' as const }]) {
      expect(head([archive({ ...BOTH, ...less }), replica('A', later(BOTH)), replica('B')])).toBe(false)
      expect(head([archive(), replica('A', later({ ...BOTH, ...less })), replica('B')])).toBe(false)
    }
  })
})

test('a known newer position adds a question and removes none', () => {
  expect(newerThanRead([archive()], [claim(9)])).toEqual([])
  expect(newerThanRead([archive()], [claim(10)])).toEqual([expect.stringContaining('you know of 1.')])
  expect(head([archive()], [claim(9)])).toBe(false)
})

test('no option answers two questions', () => {
  const no = { yes: false, acceptHead: false, withoutRevocations: false }
  const unseen = { witnessed: false, why: 'nobody came' } as const
  const both = { unread: ['the copy is not believed'], head: unseen }
  expect(() => requireConfirmed({ unread: [], head: undefined }, no)).not.toThrow()
  expect(() => requireConfirmed({ unread: [], head: unseen }, no)).toThrow(/nobody came/)
  expect(() => requireConfirmed(both, { ...no, yes: true })).toThrow(/nobody came/)
  expect(() => requireConfirmed(both, { ...no, acceptHead: true })).toThrow(/not believed/)
  expect(() => requireConfirmed(both, { ...no, yes: true, acceptHead: true })).not.toThrow()
  expect(() => requireConfirmed({ unread: [], head: undefined }, { ...no, withoutRevocations: true })).toThrow(
    /left out/,
  )
})

const NOW = 1_800_000_000_000
const cutOff = (kind: string, ms: number): RevocationColumns => {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(BigInt(ms))
  return { kind, org: 'acme', key: { hex: key.toString('hex') }, at_ms: 0, expires_at: 0, actor: 'a', reason: 'r' }
}

describe('a reported revocation', () => {
  const highest = { epoch: 1, txid: 9 }
  const bounded = (...evidence: readonly Evidence[]): ReturnType<typeof withinBounds> =>
    withinBounds(evidence, { nowMs: NOW, highest })

  test('is believed within bounds: a number beyond them is left out, and its replica is named', () => {
    const rows = [cutOff('org', 5)]
    const liar = { issueClockMs: 9e15, leaseMsMax: 3_600_001, position: place(9, 1_002), revocations: rows }
    const { evidence, remarks, unread } = bounded(archive(), replica('A', liar), replica('B', { issueClockMs: NOW }))
    expect(evidence[1]).toMatchObject({ issueClockMs: 0, leaseMsMax: 0, position: undefined, revocations: rows })
    expect(evidence[2]).toMatchObject({ issueClockMs: NOW, position: place(9) })
    expect(remarks).toHaveLength(3)
    expect(remarks.every((text) => text.startsWith('replica A reports'))).toBe(true)
    expect(unread).toEqual([])
  })

  test('gains nothing from a second replica that lies alike; a disk that was compared can vouch', () => {
    const liars = [
      replica('A', { position: place(9, 4_294_967_295) }),
      replica('B', { position: place(9, 4_294_967_000) }),
    ]
    const { evidence, remarks } = bounded(archive(), ...liars)
    expect(evidence.map(({ position }) => position)).toEqual([place(9), undefined, undefined])
    expect(remarks).toHaveLength(2)
    const ahead = place(9, 2_000)
    const vouched = bounded(archive(), replica('A', { position: ahead }), disk(9, 1_000)).evidence
    expect(vouched.map(({ position }) => position)).toEqual([place(9), ahead, place(9, 1_000)])
  })

  test('is not bounded where a signature covers it', () => {
    const one = { ...archive(), issueClockMs: 9e15, position: place(2 ** 50, 5_000) }
    expect(bounded(one).evidence).toEqual([one])
  })

  test('reaches up to now where a cut-off is still to come, and is asked about', () => {
    const { evidence, unread } = bounded(
      archive(),
      replica('A', { revocations: [cutOff('org', 9e15), cutOff('subject', NOW)] }),
    )
    expect(evidence[1]?.revocations).toEqual([cutOff('org', NOW + 60_000), cutOff('subject', NOW)])
    expect(unread).toEqual([expect.stringContaining('replica A reports a cut-off')])
  })
})

describe('revocations', () => {
  test('of a whole org or key that one replica alone knows are named; others are carried over', () => {
    const [wide, narrow] = [cutOff('org', 5), cutOff('subject', 5)]
    const alone = carryOver([], [archive(), replica('A', { revocations: [wide, narrow] })])
    expect(alone.revocations).toEqual([wide, narrow])
    expect(alone.alone).toEqual([expect.stringContaining('only replica A knows this')])
    expect(alone.alone[0]).toContain('tokens of org acme issued up to 1970-01-01T00:00:00.005Z')
    const two = carryOver([], [replica('A', { revocations: [wide] }), replica('B', { revocations: [wide] })])
    expect(two.alone).toEqual([])
    const byDisk = carryOver([], [{ ...disk(9), revocations: [wide] }])
    expect(byDisk.alone).toEqual([])
  })

  test('of places that are not believed wait, each once, where nobody else knows them', () => {
    const [known, new_] = [cutOff('org', 5), cutOff('org', 6)]
    const row = (seq: number, columns: RevocationColumns) => ({
      timeline: timeline('ab'.repeat(16)),
      epoch: epoch(1),
      seq,
      columns,
    })
    const doubted = { from: 'files without an entry', revocations: [row(1, known), row(2, new_), row(3, new_)] }
    expect(waitingBeyond([known], [], [doubted])).toEqual([{ from: doubted.from, revocations: [row(2, new_)] }])
    expect(waitingBeyond([known], [new_], [doubted])).toEqual([])
    expect(revocationName(new_)).not.toBe(revocationName(known))
  })
})
