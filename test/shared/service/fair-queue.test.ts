import { expect, test } from 'vitest'
import { FairQueue } from '../../../shared/service/fair-queue.ts'

interface Item {
  readonly caller: string
  readonly org: string
  readonly chars: number
  readonly n: number
}

function queueOf(itemsMax = 1_000, charsMax = 1_000_000): FairQueue<Item> {
  return new FairQueue({ itemsMax, charsMax, shareOf: (item) => item })
}

const item = (caller: string, org: string, n = 0, chars = 1): Item => ({ caller, org, chars, n })

function fill(queue: FairQueue<Item>, count: number, make: (n: number) => Item): void {
  for (let n = 0; n < count; n += 1) queue.add(make(n))
}

function order(queue: FairQueue<Item>, count = queue.size): readonly string[] {
  return Array.from({ length: count }, () => queue.take()).map((taken) => `${taken?.caller} ${taken?.n}`)
}

test('a caller alone is served in the order of asking', () => {
  const queue = queueOf()
  fill(queue, 3, (n) => item('a', 'acme', n))
  expect(order(queue)).toEqual(['a 0', 'a 1', 'a 2'])
  expect(queue.take()).toBeUndefined()
})

test('a caller that arrives during another’s flood has the next turn', () => {
  const queue = queueOf()
  fill(queue, 500, (n) => item('flood', 'acme', n))
  order(queue, 100)
  fill(queue, 2, (n) => item('honest', 'globex', n))
  expect(order(queue, 4).filter((one) => one.startsWith('honest'))).toEqual(['honest 0', 'honest 1'])
})

test('neither many orgs of one caller nor many callers of one org hold others up', () => {
  for (const flood of [(n: number) => item('flood', `org-${n}`, n), (n: number) => item(`flood-${n}`, 'acme', n)]) {
    const queue = queueOf()
    fill(queue, 500, flood)
    order(queue, 50)
    fill(queue, 3, (n) => item('honest', 'globex', n))
    expect(order(queue, 8).filter((one) => one.startsWith('honest')).length).toBe(3)
  }
})

test('orgs of one caller take turns, too', () => {
  const queue = queueOf()
  fill(queue, 10, (n) => item('shared', 'big', n))
  fill(queue, 1, () => item('other', 'small', 99))
  fill(queue, 1, () => item('shared', 'small', 98))
  expect(order(queue, 4)).toContain('other 99')
})

test('a full queue drops the newest entry of the caller with the most, and no more than it must', () => {
  const queue = queueOf(10)
  fill(queue, 9, (n) => item('flood', 'acme', n))
  expect(queue.add(item('honest', 'globex'))).toEqual([])
  expect(queue.add(item('honest', 'globex', 1))).toEqual([item('flood', 'acme', 8)])
  expect(queue.add(item('flood', 'acme', 9))).toEqual([item('flood', 'acme', 9)])
  expect(queue.size).toBe(10)
})

test('characters are bounded like items', () => {
  const queue = queueOf(1_000, 100)
  fill(queue, 4, (n) => item('flood', 'acme', n, 25))
  expect(queue.add(item('honest', 'globex', 0, 30)).map(({ n }) => n)).toEqual([3, 2])
  expect(queue.chars).toBe(80)
  expect(queue.add(item('flood', 'acme', 7, 101)).map(({ n }) => n)).toEqual([7])
})

test('an entry that had no turn after all is the next of its caller', () => {
  const queue = queueOf()
  fill(queue, 3, (n) => item('a', 'acme', n))
  const first = queue.take() as Item
  queue.giveBack(first)
  expect(order(queue)).toEqual(['a 0', 'a 1', 'a 2'])
  fill(queue, 3, (n) => item('a', 'acme', n))
  expect(queue.takeAll().length).toBe(3)
  expect([queue.size, queue.chars]).toEqual([0, 0])
})
