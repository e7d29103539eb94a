import { expect, test } from 'vitest'
import { Lives } from '../../../primary/publisher/lives.ts'

test('a replica that restarts is another process, and none beside it', () => {
  const lives = new Lives()
  lives.enter('fra', 'a')()
  expect(lives.isBeside('fra', 'b')).toBe(false)
  lives.enter('fra', 'b')
  expect(lives.isBeside('fra', 'b')).toBe(false)
  expect(lives.isBeside('fra', 'c')).toBe(false)
})

test('a process that comes back while the one that took its place is connected lives beside it', () => {
  const lives = new Lives()
  lives.enter('fra', 'a')
  const pages = lives.enter('fra', 'b')
  const revocations = lives.enter('fra', 'b')
  expect(lives.isBeside('fra', 'a')).toBe(true)
  expect(lives.isBeside('sin', 'a')).toBe(false)
  pages()
  expect(lives.isBeside('fra', 'a')).toBe(true)
  revocations()
  expect(lives.isBeside('fra', 'a')).toBe(false)
})

test('a peer that makes up processes costs no memory', () => {
  const lives = new Lives()
  for (let count = 0; count < 10_000; count += 1) lives.enter('fra', String(count))
  expect(lives.isBeside('fra', '9998')).toBe(true)
  expect(lives.isBeside('fra', '1')).toBe(false)
})
