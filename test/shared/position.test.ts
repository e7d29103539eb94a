import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checksum, epoch, txid } from '../../shared/ids.ts'
import { comparePositions, parsePosition, positionText, samePosition, type Position } from '../../shared/position.ts'

const anyPosition: fc.Arbitrary<Position> = fc
  .record({
    epoch: fc.integer({ min: 0, max: 0xffffffff }),
    txid: fc.maxSafeNat(),
    checksum: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  })
  .map((parts) => ({ epoch: epoch(parts.epoch), txid: txid(parts.txid), checksum: checksum(parts.checksum) }))

test('every position reads back from its text', () => {
  fc.assert(
    fc.property(anyPosition, (position) => {
      expect(samePosition(parsePosition(positionText(position)), position)).toBe(true)
    }),
  )
})

test('positions order by epoch, then transaction, and their content does not order', () => {
  fc.assert(
    fc.property(anyPosition, anyPosition, (a, b) => {
      const order = Math.sign(comparePositions(a, b))
      expect(order).toBe(a.epoch === b.epoch ? Math.sign(a.txid - b.txid) : Math.sign(a.epoch - b.epoch))
      expect(Math.sign(comparePositions(b, a)) + order).toBe(0)
    }),
  )
})

test('an invalid position is refused', () => {
  const good = positionText({ epoch: epoch(1), txid: txid(2), checksum: checksum(3n) })
  const bad = [
    '',
    '.',
    '..',
    `${good}.`,
    ` ${good}`,
    `0${good}`,
    `${good}\n`,
    good.replace('1.', '-1.'),
    `9${'9'.repeat(11)}${good.slice(1)}`,
  ]
  for (const text of [...bad, `4294967296${good.slice(1)}`, good.toUpperCase().replace('0003', '000G')]) {
    expect(() => parsePosition(text)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  }
})
