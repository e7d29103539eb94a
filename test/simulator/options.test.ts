import { expect, test } from 'vitest'
import { MacaroondError } from '../../shared/errors.ts'
import { parseOptions } from './options.ts'

function refusal(...args: readonly string[]): string {
  try {
    parseOptions(args)
  } catch (error) {
    expect(error).toBeInstanceOf(MacaroondError)
    expect((error as MacaroondError).hint).toBeTruthy()
    return (error as MacaroondError).message
  }
  throw new Error('it was taken')
}

test('runs many seeds by default, and exactly the given one with --seed', () => {
  expect(parseOptions([])).toMatchObject({ seed: 1, seeds: 100 })
  expect(parseOptions(['--seed', '7'])).toMatchObject({ seed: 7, seeds: 1 })
  expect(parseOptions(['--seed', '7', '--seeds', '3'])).toMatchObject({ seed: 7, seeds: 3 })
  expect(parseOptions(['--seed', '7', '--only', '0,2', '--until', '14'])).toMatchObject({ only: [0, 2], until: 14 })
  expect(parseOptions(['--seed', '7', '--only', 'none']).only).toEqual([])
})

test('--help prints the help', () => {
  expect([parseOptions(['--help']), parseOptions(['-h']), parseOptions([])].map(({ help }) => help)).toEqual([
    true,
    true,
    false,
  ])
})

test('impossible settings are refused with the possible ones', () => {
  expect(refusal('--seeds', '0')).toContain('--seeds 0')
  expect(refusal('--seeds', '1.5')).toContain('whole number')
  expect(refusal('--seed', '-1')).not.toBe('')
  expect(refusal('--steps', '3')).toContain('from 12')
  expect(refusal('--seed', '4294967295', '--seeds', '2')).toContain('4294967295')
  expect(refusal('--processes', '0')).toContain('--processes')
  expect(refusal('--only', '1', '--seeds', '2')).toContain('one seed')
  expect(refusal('--seed', '1', '--until', '26', '--steps', '25')).toContain('--until')
  expect(refusal('--seed', '1', '--until', 'x')).toContain('--until')
  expect(refusal('--mutants', '--twice')).toContain('--mutants')
  expect(refusal('--scenarios', '--mutants')).toContain('--scenarios')
  expect(refusal('--kinds', 'earthquake')).toContain('earthquake')
  expect(refusal('--evidence', 'runs', '--kinds', 'killed')).toContain('--evidence')
  expect(refusal('--evidence', 'runs', '--scenarios')).toContain('--evidence')
  expect(refusal('--evidence', 'runs', '--seed', '3', '--trace')).toContain('--evidence')
  expect(refusal('--sceds')).toContain('--sceds')
})
