import { expect, test } from 'vitest'
import { FLEET, fleetRows, onWire } from './fleet-model.ts'

function value(name: string, unit: string, fleet = FLEET): number {
  const row = fleetRows(fleet).find((other) => other.name.startsWith(name) && other.unit === unit)
  if (row === undefined) throw new Error(`no row ${name} in ${unit}`)
  return row.value
}

test('a byte more on the wire is never cheaper, and small messages are mostly headers', () => {
  for (let bytes = 1; bytes < 200_000; bytes += 997) expect(onWire(bytes + 997)).toBeGreaterThan(onWire(bytes))
  expect(onWire(40)).toBeGreaterThan(3 * 40)
  expect(onWire(60_000)).toBeLessThan(1.1 * 60_000)
})

test('the primary pays for regions and never for workers', () => {
  const more = { ...FLEET, workers: 2 * FLEET.workers }
  expect(value('primary, nothing', 'KB/s', more)).toBe(value('primary, nothing', 'KB/s'))
  expect(value('primary sends', 'MB', more)).toBe(value('primary sends', 'MB'))
  expect(value('replica, nothing', 'KB/s', more)).toBeGreaterThan(1.9 * value('replica, nothing', 'KB/s'))
})

test('revocations that come together cost a fraction of lone ones', () => {
  expect(value('one revocation in it', 'bytes')).toBeLessThan(0.6 * value('one lone', 'bytes'))
})
