import { expect, test } from 'vitest'
import { Acknowledgements } from '../../../primary/publisher/acknowledgements.ts'

test('a revocation is durable once any one replica has it', () => {
  const acknowledgements = new Acknowledgements()
  const reached: number[] = []
  for (const seq of [1, 2, 3]) acknowledgements.wait(seq, () => reached.push(seq))
  acknowledgements.acknowledge('fra', 1)
  expect(reached).toEqual([1])
  acknowledgements.acknowledge('sin', 3)
  expect(reached).toEqual([1, 2, 3])
  expect(acknowledgements.durable).toBe(3)
})

test('a durable position needs no wait, and no caller is answered twice', () => {
  const acknowledgements = new Acknowledgements()
  acknowledgements.acknowledge('fra', 5)
  let told = 0
  acknowledgements.wait(5, () => (told += 1))
  acknowledgements.acknowledge('fra', 6)
  acknowledgements.acknowledge('sin', 6)
  expect(told).toBe(1)
})

test('a caller that stopped waiting gets no answer', () => {
  const acknowledgements = new Acknowledgements()
  let told = 0
  const stop = acknowledgements.wait(1, () => (told += 1))
  stop()
  acknowledgements.acknowledge('fra', 1)
  expect(told).toBe(0)
})

test('a late report of an older position takes nothing back', () => {
  const acknowledgements = new Acknowledgements()
  acknowledgements.acknowledge('fra', 5)
  acknowledgements.acknowledge('fra', 2)
  expect(acknowledgements.of('fra')).toBe(5)
  expect(acknowledgements.durable).toBe(5)
  expect(acknowledgements.of('sin')).toBeUndefined()
})
