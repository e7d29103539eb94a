/** S8: no damaged source restores silently, whatever it is and however it was damaged. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { fingerprint } from '../../chaos/archive/restore-process.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { scratch } from '../../integration/cluster/harness.ts'
import { buildFixture, copyOf, type Fixture, type Left, repairArgs } from './damage.ts'
import { type Case, CASES, damageTable, type Said, type Source } from './damage-cases.ts'

function sourceArgs(source: Source, { primary, replica, archive }: Left, key: string): readonly string[] {
  switch (source) {
    case 'archive':
      return ['--archive', archive, '--key', key]
    case 'unsigned archive':
      return ['--archive', archive, '--unsigned']
    case 'replica’s copy':
      return ['--from-replica', replica, '--key', key]
    case 'copy and archive':
      return ['--from-replica', replica, '--archive', archive, '--key', key]
    case 'old disk':
      return ['--archive', archive, '--key', key, '--old-data', primary]
    case 'primary, repaired':
      return []
  }
}

interface Document {
  readonly error?: { readonly code: string; readonly message: string }
  readonly unread?: readonly string[]
  readonly remarks?: readonly string[]
}

function saidBy(ran: Ran): { readonly said: Said; readonly text: string } {
  const { error, remarks = [] } = ran.json<Document>()
  if (error === undefined) return { said: remarks.length === 0 ? 'nothing' : 'tells', text: remarks.join('; ') }
  const asks = { restore_unconfirmed: 'asks', head_unwitnessed: 'asks for the head' } as const
  const said = Object.hasOwn(asks, error.code) ? asks[error.code as keyof typeof asks] : 'refuses'
  return { said, text: error.message }
}

/** The database that is there in the end has every revocation, or nothing was changed. */
async function repaired({ said }: Pick<Case, 'said'>, left: Left, { key, revoked }: Fixture): Promise<Ran> {
  const before = fingerprint(left.primary)
  const accept = said === 'asks for the head' ? [] : ['--accept-head']
  const ran = await commandLine([...(await repairArgs(left, key)), ...accept, '--json'])
  if (ran.status !== 0) expect(fingerprint(left.primary)).toBe(before)
  else {
    const db = openReader(join(left.primary, 'macaroond.db'))
    expect(db.prepare('SELECT count(*) FROM revocations').pluck().get(), ran.stdout).toBe(revoked)
    db.close()
  }
  return ran
}

/** With the head accepted, but where that is what is to be asked: then nothing hides behind the question. */
async function restored({ source, said }: Pick<Case, 'source' | 'said'>, left: Left, key: string): Promise<Ran> {
  const output = join(scratch(), 'restored.db')
  const accept = said === 'asks for the head' ? [] : ['--accept-head']
  const ran = await commandLine(['restore', ...sourceArgs(source, left, key), '--output', output, ...accept, '--json'])
  expect(existsSync(output)).toBe(ran.status === 0)
  rmSync(output, { force: true })
  return ran
}

test('every kind of damage to a source of a restore is refused, asked about or reported', async () => {
  const fixture = await buildFixture()
  for (const source of ['archive', 'replica’s copy', 'copy and archive', 'old disk'] as const) {
    const ran = await restored({ source, said: 'tells' }, copyOf(fixture.now), fixture.key)
    expect(saidBy(ran), `${source}, sound: ${ran.stdout}`).toMatchObject({ said: 'nothing' })
  }
  const untouched = await repaired({ said: 'nothing' }, copyOf(fixture.now), fixture)
  expect(untouched.json()).toEqual({ result: 'sound' })
  const wrong: string[] = []
  for (const one of CASES) {
    const left = copyOf(fixture.now)
    one.harm(left, fixture)
    const repairs = one.source === 'primary, repaired'
    const ran = repairs ? await repaired(one, left, fixture) : await restored(one, left, fixture.key)
    const { said, text } = saidBy(ran)
    if (said !== one.said || !new RegExp(one.words).test(text))
      wrong.push(`${one.source}, ${one.damage}: ${said}: ${text}`)
  }
  expect(wrong).toEqual([])
}, 120_000)

const RUNBOOK = join(import.meta.dirname, '../../../ops/RUNBOOK.md')
const [BEGIN, END] = [
  '<!-- made by `DAMAGE_TABLE=write npx vitest run test/recovery/archive/damage` -->',
  '<!-- end of the table -->',
]

test('the runbook says the same of every kind of damage', () => {
  const runbook = readFileSync(RUNBOOK, 'utf8')
  const [before = '', rest = ''] = runbook.split(BEGIN)
  const wanted = `${before}${BEGIN}\n\n${damageTable()}\n\n${END}${rest.split(END)[1] ?? ''}`
  if (process.env['DAMAGE_TABLE'] === 'write') writeFileSync(RUNBOOK, wanted)
  else expect(runbook).toBe(wanted)
})
