import { expect, test } from 'vitest'
import { ReplicaBoots } from '../../../primary/publisher/replica-boots.ts'

test('a replica that restarts has a new boot and is no duplicate', () => {
  const boots = new ReplicaBoots()
  boots.enter('a')()
  expect(boots.isDuplicate('b')).toBe(false)
  boots.enter('b')
  expect(boots.isDuplicate('b')).toBe(false)
  expect(boots.isDuplicate('c')).toBe(false)
})

test('a boot that returns while its successor is connected is a duplicate', () => {
  const boots = new ReplicaBoots()
  boots.enter('a')
  const pages = boots.enter('b')
  const revocations = boots.enter('b')
  expect(boots.isDuplicate('a')).toBe(true)
  expect(new ReplicaBoots().isDuplicate('a')).toBe(false)
  pages()
  expect(boots.isDuplicate('a')).toBe(true)
  revocations()
  expect(boots.isDuplicate('a')).toBe(false)
})

test('a peer that invents boot ids costs no memory', () => {
  const boots = new ReplicaBoots()
  for (let count = 0; count < 10_000; count += 1) boots.enter(String(count))
  expect(boots.isDuplicate('9998')).toBe(true)
  expect(boots.isDuplicate('1')).toBe(false)
})
