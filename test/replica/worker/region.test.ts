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

test('a replica whose region was given another name shuts nobody out', () => {
  const says = worker()
  expect([says('A', 'fra'), says('A', 'eu-central'), says('B', 'eu-central')]).toEqual(['asked', 'asked', 'asked'])
})
