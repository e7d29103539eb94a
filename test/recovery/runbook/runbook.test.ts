/** The runbook, typed as it stands, on a cluster of real processes: each block in the trouble that it is for. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type PrimaryConfig, primaryConfig } from '../../../primary/config.ts'
import { type ReplicaConfig, replicaConfig } from '../../../replica/config.ts'
import { readConfig } from '../../../shared/config/read-config.ts'
import { commandLine } from '../../integration/cli/command.ts'
import { blocksOf } from '../../acceptance/readme/blocks.ts'
import { Operator } from '../operator.ts'

const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
const page = readFileSync(RUNBOOK, 'utf8')
/** The blocks of the 3 a.m. table have a test of their own, beside this one. */
const blocks = new Map(blocksOf(page).flatMap(({ name, file, code }) => (file === '' ? [[name, code]] : [])))

/** The table of names at the top of the page. */
const names = [...page.matchAll(/^\| `\$(\w+)` +\| (\S+) +\| (\S+) +\|/gm)].map(
  ([, name = '', init = '', dev = '']) => {
    return { name, init, dev }
  },
)

describe('the runbook', () => {
  test('has a table of names that fits the folders of init', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'macaroond-names-')), 'prod')
    onTestFinished(() => rmSync(join(dir, '..'), { recursive: true }))
    const args = ['--cluster', 'prod', '--primary', '127.0.0.1:7400', '--region', 'fra=127.0.0.1:7401']
    expect((await commandLine(['init', '--dir', dir, ...args])).status).toBe(0)
    const primary = readConfig<PrimaryConfig>(join(dir, 'primary/primary.toml'), primaryConfig)
    const of = Object.fromEntries(names.map(({ name, init }) => [name, init]))
    const replica = readConfig<ReplicaConfig>(join(dir, 'fra', of['replica_config'] ?? ''), replicaConfig)
    expect(of).toEqual({
      data: primary.data,
      archive: `${primary.data}-archive`,
      replica_config: 'replica.toml',
      replica_data: replica.data,
    })
  })

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
      'kek-new',
      'kek-replica',
      'kek-primary',
      'kek-rotate',
    ]
    expect([...blocks.keys()].toSorted()).toEqual(names.toSorted())
  })

  test('leads from each trouble back to service, with every revocation and every token', async () => {
    const operator = await Operator.movedIn()
    for (const { name, dev } of names) operator.sets(name, dev)
    await operator.keepKey()
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

    for (const name of ['kek-new', 'kek-replica', 'kek-primary']) await typed(name)
    await operator.serving()
    expect(await typed('kek-rotate')).toMatch(/sealed again with key-encryption key [0-9a-f]{8}: 2/)
    await operator.serving()
    expect([await operator.verdict(kept), await operator.verdict(revoked)]).toEqual(['ok', 'revoked'])
    expect(await typed('look')).toMatch(/as it was committed, and a root key opens/)
  }, 240_000)
})
