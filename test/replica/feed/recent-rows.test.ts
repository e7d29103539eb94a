import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RecentRows } from '../../../replica/feed/recent-rows.ts'
import { epoch as asEpoch, timeline as asTimeline } from '../../../shared/ids.ts'
import { toWorker } from '../../../shared/protocol/feed.ts'
import { decodeMessage } from '../../../shared/protocol/message.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { gapAfter, REVOCATIONS_A_MESSAGE, type Stretch } from '../../../shared/protocol/stretch.ts'

function row(seq: number): RevocationRow {
  return { seq, kind: 'token', kid: '0'.repeat(16), nonce: '0'.repeat(32), expiresAt: 0 }
}

function place(epoch: number) {
  return { epoch: asEpoch(epoch), timeline: asTimeline(String(epoch).repeat(32)) }
}

function rowsOf(from: number, to: number): RevocationRow[] {
  return Array.from({ length: to - from + 1 }, (_, index) => row(from + index))
}

/** With nothing purged. */
function stretch(rows: readonly RevocationRow[]): Stretch {
  return { after: (rows[0]?.seq ?? 1) - 1, rows, through: rows.at(-1)?.seq ?? 0 }
}

function numbersAfter(rows: RecentRows, seq: number): number[] {
  const message = decodeMessage(rows.batchAfter(seq).message, toWorker)
  return message.t === 'revoked' ? message.rows.map((one) => one.seq) : []
}

describe('recent revocations', () => {
  test('are handed on from any worker’s position, in order, without a gap, in bounded messages', () => {
    const rows = new RecentRows()
    rows.take(place(1), stretch(rowsOf(1, REVOCATIONS_A_MESSAGE + 3)))
    expect(numbersAfter(rows, REVOCATIONS_A_MESSAGE)).toEqual([501, 502, 503])
    const first = rows.batchAfter(0)
    expect(first.last).toBe(REVOCATIONS_A_MESSAGE)
    expect(rows.batchAfter(0).message).toBe(first.message)
    rows.take(place(1), stretch([row(504)]))
    expect(numbersAfter(rows, 502)).toEqual([503, 504])
  })

  test('are kept up to a number: a worker that is further behind cannot resume', () => {
    const rows = new RecentRows(10)
    for (let seq = 1; seq <= 100; seq += 1) rows.take(place(1), stretch([row(seq)]))
    expect([rows.has(100), rows.has(90), rows.has(101), rows.has(50)]).toEqual([true, true, false, false])
  })

  test('that are missing leave a gap, and no worker is moved past it', () => {
    const rows = new RecentRows()
    rows.take(place(1), stretch(rowsOf(1, 5)))
    rows.advanceTo(place(1), 9)
    expect([rows.last, rows.has(5), rows.has(9)]).toEqual([9, false, true])
    rows.take(place(1), stretch([row(12)]))
    expect([rows.last, rows.has(9), rows.has(11)]).toEqual([12, false, true])
  })

  test('of an epoch that was left behind, which pages may still bring, change nothing', () => {
    const rows = new RecentRows()
    rows.take(place(2), stretch(rowsOf(1, 3)))
    rows.take(place(1), stretch(rowsOf(1, 90)))
    rows.advanceTo(place(1), 90)
    expect([rows.history, rows.last]).toEqual([place(2), 3])
    rows.advanceTo(place(3), 0)
    expect([rows.history, rows.last, rows.has(3)]).toEqual([place(3), 0, false])
  })

  test('come from pages and stream in any overlap, and are the same', () => {
    const span = fc.record({ from: fc.integer({ min: 1, max: 30 }), count: fc.integer({ min: 1, max: 10 }) })
    fc.assert(
      fc.property(fc.array(span, { maxLength: 20 }), fc.integer({ min: 1, max: 8 }), (spans, kept) => {
        const rows = new RecentRows(kept)
        let last = 0
        for (const { from, count } of spans) {
          rows.take(place(1), stretch(rowsOf(from, from + count - 1)))
          last = Math.max(last, from + count - 1)
          expect(rows.last).toBe(last)
          for (let seq = 0; seq < last; seq += 1) {
            if (rows.has(seq)) expect(numbersAfter(rows, seq)).toEqual(rowsOf(seq + 1, last).map((one) => one.seq))
          }
        }
      }),
    )
  })

  test('are handed on past purged rows: a follower has all that still count, and knows it', () => {
    const part = fc.record({ kept: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), overlap: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.integer({ min: 1, max: 8 }), (parts, rowsKept) => {
        const rows = new RecentRows(rowsKept)
        const all: number[] = []
        let last = 0
        for (const { kept, overlap } of parts) {
          const numbers = rowsOf(last + 1, last + kept.length).filter((_, index) => kept[index])
          const after = Math.max(0, last - overlap)
          const again = all.filter((seq) => seq > after).map(row)
          last += kept.length
          rows.take(place(1), { after, rows: [...again, ...numbers], through: last })
          all.push(...numbers.map(({ seq }) => seq))
          expect(rows.last).toBe(last)
          for (let seq = 0; seq < last; seq += 1) {
            if (!rows.has(seq)) continue
            const message = decodeMessage(rows.batchAfter(seq).message, toWorker)
            expect(message.t === 'revoked' ? gapAfter(seq, message) : 'not rows').toBeUndefined()
            expect(numbersAfter(rows, seq)).toEqual(all.filter((number) => number > seq))
            expect(rows.batchAfter(seq).last).toBe(last)
          }
        }
      }),
    )
  })
})
