/** S8: no damaged source restores silently, whatever it is and however it was damaged. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DenialsWriter } from '../../../replica/denials/file.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { fingerprint } from '../../chaos/archive/restore-process.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { scratch } from '../../integration/cluster/harness.ts'
import { buildFixture, copyOf, damageJournal, type Fixture, type Left, repairArgs, startReplica } from './damage.ts'
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
    case 'running replica':
      return ['--archive', archive, '--key', key]
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
async function restored(
  { source, said }: Pick<Case, 'source' | 'said'>,
  left: Left,
  key: string,
  more: readonly string[] = [],
): Promise<Ran> {
  const output = join(scratch(), 'restored.db')
  const accept = said === 'asks for the head' ? [] : ['--accept-head']
  const args = [...sourceArgs(source, left, key), ...more, '--output', output, ...accept, '--json']
  const ran = await commandLine(['restore', ...args])
  expect(existsSync(output)).toBe(ran.status === 0)
  rmSync(output, { force: true })
  return ran
}

async function ranOn(one: Case, left: Left, fixture: Fixture): Promise<Ran> {
  if (one.source === 'running replica') return asked(one, left, fixture)
  one.harm(left, fixture)
  return one.source === 'primary, repaired' ? repaired(one, left, fixture) : restored(one, left, fixture.key)
}

/** The replica runs when the damage is done, and what it told undamaged changes nothing. */
async function asked(one: Case, left: Left, fixture: Fixture): Promise<Ran> {
  const { profile, stop } = await startReplica(left, fixture.key)
  try {
    const sound = await restored({ source: one.source, said: 'nothing' }, left, fixture.key, ['--profile', profile])
    expect(saidBy(sound), sound.stdout).toMatchObject({ said: 'nothing' })
    one.harm(left, fixture)
    return await restored(one, left, fixture.key, ['--profile', profile])
  } finally {
    await stop()
  }
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
    const ran = await ranOn(one, left, fixture)
    const { said, text } = saidBy(ran)
    if (said !== one.said || !new RegExp(one.words).test(text))
      wrong.push(`${one.source}, ${one.damage}: ${said}: ${text}`)
  }
  expect(wrong).toEqual([])
}, 120_000)

test('what is damaged in a copy hides nothing else of it', async () => {
  const fixture = await buildFixture()
  const left = copyOf(fixture.now)
  damageJournal(left.replica)
  const denied = '7'.repeat(48)
  const denials = new DenialsWriter(join(left.replica, 'denials'))
  const columns = { kind: 'token', org: 'acme', key: { hex: denied }, at_ms: 1, expires_at: 0, actor: 'op', reason: '' }
  denials.add({ timeline: timeline('dd'.repeat(16)), epoch: epoch(0), seq: 1, columns })
  await denials.finish()
  const output = join(scratch(), 'restored.db')
  const args = ['--from-replica', left.replica, '--key', fixture.key, '--output', output, '--accept-head']
  expect((await commandLine(['restore', ...args, '--json'])).json<Document>().error).toMatchObject({
    code: 'restore_unconfirmed',
    message: expect.stringMatching(/the journal of the replica’s copy cannot be read.*was whole before/) as string,
  })
  expect((await commandLine(['restore', ...args, '--yes'])).status).toBe(0)
  const db = openReader(output)
  const revoked = db.prepare<[], string>('SELECT lower(hex(key)) FROM revocations').pluck().all()
  db.close()
  expect([revoked.length, revoked.includes(denied)]).toEqual([fixture.revoked + 1, true])
}, 60_000)

test('a running replica that lost its journal says so, and is no witness', async () => {
  const fixture = await buildFixture()
  const left = copyOf(fixture.now)
  rmSync(join(left.replica, 'revocations.journal'))
  const { profile, stop } = await startReplica(left, fixture.key)
  try {
    const asking = ['restore', '--archive', left.archive, '--key', fixture.key, '--profile', profile, '--json']
    const told = async (...more: readonly string[]): Promise<Document['error']> =>
      (await commandLine([...asking, '--output', join(scratch(), 'restored.db'), ...more])).json<Document>().error
    expect(await told()).toMatchObject({
      code: 'restore_unconfirmed',
      message: expect.stringContaining('its revocation journal of epoch 1 was lost') as string,
    })
    expect(await told('--yes')).toMatchObject({ code: 'head_unwitnessed' })
    expect(await told('--yes', '--accept-head')).toBeUndefined()
  } finally {
    await stop()
  }
}, 60_000)

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
