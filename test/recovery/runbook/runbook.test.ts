/** The runbook, typed as it stands, on a cluster of real processes: each block in the trouble that it is for. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { blocksOf } from '../../acceptance/readme/blocks.ts'
import { Operator } from '../operator.ts'

const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
/** The blocks of the 3 a.m. table have a test of their own, beside this one. */
const blocks = new Map(
  blocksOf(readFileSync(RUNBOOK, 'utf8')).flatMap(({ name, file, code }) => (file === '' ? [[name, code]] : [])),
)

describe('the runbook', () => {
  test('has no block that this suite does not run', () => {
    const names = [
      'prepare',
      'look',
      'rehearse',
      'moment',
      'pending',
      'lost-disk',
      'repair',
      'from-replica',
      'kek-nodes',
      'kek-rotate',
    ]
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('leads from each trouble back to service, with every revocation and every token', async () => {
    const operator = await Operator.movedIn()
    const typed = (name: string): Promise<string> => operator.types(blocks.get(name) ?? '')
    await operator.call(['org', 'create', 'acme'])
    const [kept, revoked] = [await operator.mint('alice'), await operator.mint('mallory')]
    await operator.serving()
    expect(await typed('prepare')).toMatch(/from transaction 0000000000000001 of .* to transaction /)
    expect(await typed('look')).toMatch(/all as they were archived[\s\S]*as it was committed, and a root key opens/)
    expect(await typed('rehearse')).toMatch(/10 of 10 steps passed/)

    await delay(5_500)
    await operator.call(['revoke', '--token', '-'], revoked)
    expect(await typed('moment')).toMatch(
      /revocations: 1 known, 1 in the result \(0 already there, 1 added\)\n {2}no revocation is lost/,
    )
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '2',
      'ok',
      'revoked',
    ])

    expect(await typed('pending')).toMatch(/nothing waits for a decision[\s\S]*adopted 0; 0 still wait/)

    await operator.lose('primary')
    await typed('lost-disk')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '3',
      'ok',
      'revoked',
    ])

    execFileSync('sqlite3', [join(operator.folder, 'primary/macaroond.db'), 'VACUUM'])
    await operator.units.primary.ended()
    expect(await typed('repair')).toMatch(/from pages of the damaged file, .*[\s\S]*repaired .*: epoch 4 begins/)
    await operator.serving()
    expect([await operator.verdict(kept), await operator.verdict(revoked)]).toEqual(['ok', 'revoked'])

    await operator.lose('primary', 'primary-archive')
    await typed('from-replica')
    await operator.serving()
    expect([await operator.epoch(), await operator.verdict(kept), await operator.verdict(revoked)]).toEqual([
      '5',
      'ok',
      'revoked',
    ])

    await typed('kek-nodes')
    await operator.serving()
    expect(await typed('kek-rotate')).toMatch(/sealed again with key-encryption key [0-9a-f]{8}: 2/)
    await operator.serving()
    expect([await operator.verdict(kept), await operator.verdict(revoked)]).toEqual(['ok', 'revoked'])
    expect(await typed('look')).toMatch(/as it was committed, and a root key opens/)
  }, 240_000)
})
