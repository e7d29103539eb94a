/** The region that a worker without a configured one assumes: replicas state theirs, and prove nothing. */
import { expect, test } from 'vitest'
import { HomeRegion } from '../../../replica/worker/region.ts'

function worker(region?: string): (peerId: string, said: string) => string {
  const home = new HomeRegion({ region, crossRegion: false })
  return (peerId, said) => {
    try {
      home.admit(peerId, { region: said })
    } catch {
      return 'refused'
    }
    return home.isForeign(peerId) ? 'foreign' : 'asked'
  }
}

test('a worker with a configured region believes no other', () => {
  const says = worker('fra')
  expect([says('A', 'sin'), says('B', 'sin'), says('C', 'fra')]).toEqual(['refused', 'refused', 'asked'])
})

test('without one, the region that was said first holds against one other', () => {
  const says = worker()
  expect([says('A', 'fra'), says('B', 'sin'), says('A', 'fra')]).toEqual(['asked', 'refused', 'asked'])
})

test('a replica that reports its region first shuts out two others only until both have spoken', () => {
  const says = worker()
  expect([says('A', 'evil'), says('B', 'fra'), says('C', 'fra')]).toEqual(['asked', 'refused', 'asked'])
  expect([says('B', 'fra'), says('A', 'evil')]).toEqual(['asked', 'refused'])
})

test('a replica that reports its region first and goes away shuts one other out for a minute', () => {
  let nowMs = 0
  const home = new HomeRegion({ region: undefined, crossRegion: false }, { monotonicMs: () => nowMs })
  const isAdmitted = (peerId: string, region: string): boolean => {
    try {
      home.admit(peerId, { region })
      return true
    } catch {
      return false
    }
  }
  expect([isAdmitted('liar', 'xx'), isAdmitted('honest', 'fra')]).toEqual([true, false])
  // It stays for an hour, and nobody asks for its region meanwhile.
  nowMs += 3_600_000
  home.away('liar')
  nowMs += 59_000
  home.away('liar')
  expect(isAdmitted('honest', 'fra')).toBe(false)
  nowMs += 1_000
  expect([isAdmitted('honest', 'fra'), home.isForeign('honest'), home.isForeign('liar')]).toEqual([true, false, true])
  // One that is back counts as before, so a replica that was down for long still decides for its worker.
  expect([isAdmitted('liar', 'xx'), home.isForeign('honest')]).toEqual([true, true])
})

test('a worker whose replicas are all away keeps its region', () => {
  let nowMs = 0
  const home = new HomeRegion({ region: undefined, crossRegion: true }, { monotonicMs: () => nowMs })
  for (const [peerId, region] of [
    ['A', 'fra'],
    ['B', 'sin'],
  ] as const) {
    home.admit(peerId, { region })
    home.away(peerId)
  }
  nowMs += 120_000
  expect([home.isForeign('A'), home.isForeign('B')]).toEqual([false, true])
})

test('a replica whose region was given another name shuts nobody out', () => {
  const says = worker()
  expect([says('A', 'fra'), says('A', 'eu-central'), says('B', 'eu-central')]).toEqual(['asked', 'asked', 'asked'])
})
