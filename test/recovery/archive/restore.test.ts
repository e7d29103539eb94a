/** A restore from the command line: what it keeps, what it asks a yes for, and everything it refuses, with nothing left behind. */
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeRow, encodeTimeline } from '../../../replica/revocations/journal-records.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import { lockFolder } from '../../../shared/sqlite/node-lock.ts'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { canMount, named, smallVolume } from '../../integration/cluster/small-volume.ts'
import { Authority, scratch } from './authority.ts'

function keyText({ key }: Authority): string {
  return Buffer.from(key.publicKey).toString('hex')
}

const TOKEN = (number: number): string => number.toString(16).padStart(48, '0')

/** Six transactions at 10 ms: the first makes the database, the third and the last revoke a token. */
async function archived(): Promise<Authority> {
  const authority = await Authority.create()
  await authority.claim()
  authority.grow(3)
  authority.revoke(TOKEN(1))
  authority.grow(3)
  authority.grow(3)
  authority.revoke(TOKEN(2))
  await authority.upload()
  return authority
}

class Restorer {
  readonly authority: Authority
  readonly folder: string = scratch()
  readonly output: string = join(this.folder, 'restored.db')

  constructor(authority: Authority) {
    this.authority = authority
  }

  run(...args: readonly string[]): Promise<Ran> {
    const { archive } = this.authority
    const source = args.includes('--from-replica') || args.includes('--archive') ? [] : ['--archive', archive]
    const signed = args.includes('--key') ? [] : ['--key', keyText(this.authority)]
    return commandLine(['restore', ...source, ...signed, '--output', this.output, '--json', ...args])
  }

  /** Nobody is there who saw the newest state. */
  async good(...args: readonly string[]): Promise<Record<string, unknown>> {
    const ran = await this.run(...args, '--accept-head')
    expect(ran.status, `${args.join(' ')}: ${ran.stdout} ${ran.stderr}`).toBe(0)
    return ran.json()
  }

  /** The error, once it is certain that nothing was left where the result would be. */
  async refused(...args: readonly string[]): Promise<{ status: number; code: string; text: string }> {
    const before = readdirSync(this.folder)
    const ran = await this.run(...args)
    expect(readdirSync(this.folder), args.join(' ')).toEqual(before)
    const { error } = ran.json<{ error: { code: string; message: string; hint?: string } }>()
    return { status: ran.status, code: error.code, text: `${error.message}; ${error.hint ?? ''}` }
  }

  /** Read from a copy, because whoever opens a database leaves a WAL beside it. */
  revocations(): readonly string[] {
    const copy = join(scratch(), 'copy.db')
    copyFileSync(this.output, copy)
    const db = openReader(copy)
    try {
      return db.prepare<[], string>('SELECT lower(hex(key)) FROM revocations ORDER BY seq').pluck().all()
    } finally {
      db.close()
    }
  }
}

async function restorer(): Promise<Restorer> {
  return new Restorer(await archived())
}

const moment = (ms: number): string => new Date(ms).toISOString()

describe('a restore refuses, says what can be had, and leaves nothing behind, where', () => {
  test('the moment is before the archive begins, in the future, or no moment', async () => {
    const own = await restorer()
    const [first, last] = [own.authority.recorded[0]!, own.authority.recorded.at(-1)!]
    const window = `the archive has transaction 0000000000000001 of ${moment(first.atMs)} to transaction 0000000000000006 of ${moment(last.atMs)}`
    const before = await own.refused('--at', moment(first.atMs - 1))
    expect(before).toMatchObject({ status: 1, code: 'restore_target' })
    expect(before.text).toContain(window)
    const future = await own.refused('--at', '2199-01-01T00:00:00Z')
    expect(future.text).toContain('in the future')
    expect(future.text).toContain(window)
    for (const text of ['yesterday', '2026-11-25', '2026-11-25T10:00:00', '2026-02-30T10:00:00Z', '-2 hours ago', ''])
      expect(await own.refused('--at', text), text).toMatchObject({ status: 2, code: 'usage' })
  })

  test('the transaction is not there, or no number', async () => {
    const own = await restorer()
    const beyond = await own.refused('--txid', '7')
    expect(beyond).toMatchObject({ status: 1, code: 'restore_target' })
    expect(beyond.text).toContain('to transaction 0000000000000006')
    for (const text of ['0', '-1', 'seven', '1.5', '99999999999999999999'])
      expect(await own.refused('--txid', text), text).toMatchObject({ status: 2, code: 'usage' })
    expect(await own.refused('--txid', '3', '--at', '1 hour ago')).toMatchObject({ status: 2, code: 'usage' })
  })

  test('files in the middle are missing from a manifest that says so: the moment is inside a gap', async () => {
    const own = new Restorer(await Authority.create())
    await own.authority.claim()
    for (let number = 0; number < 4; number += 1) own.authority.grow(1)
    await own.authority.upload()
    const { manifest } = own.authority
    const gone = [...manifest.state.files.values()].filter(({ minTxid }) => minTxid === 3)
    await manifest.append({ head: manifest.state.head, added: [], removed: gone })
    const inside = await own.refused('--at', moment(own.authority.recorded[3]!.atMs))
    expect(inside).toMatchObject({ code: 'restore_target' })
    expect(inside.text).toContain('the nearest before it is transaction 0000000000000002')
    // What the manifest once had is known to exist: its revocations cannot be read.
    const early = await own.refused('--txid', '2')
    expect(early).toMatchObject({ status: 2, code: 'restore_unconfirmed' })
    expect(early.text).toContain('the manifest knows of 1.0000000000000005.')
    await own.good('--txid', '2', '--yes')
  })

  test('the archive is missing, no archive, empty, of another authority, or comes without a key', async () => {
    const own = await restorer()
    const empty = scratch()
    const file = join(own.folder, 'a-file')
    writeFileSync(file, '')
    expect(await own.refused('--archive', join(empty, 'none'))).toMatchObject({ status: 1, code: 'archive_missing' })
    expect(await own.refused('--archive', file)).toMatchObject({ status: 1, code: 'archive_missing' })
    expect(await own.refused('--archive', empty)).toMatchObject({ status: 1, code: 'archive_unsigned' })
    expect(await own.refused('--archive', 'gopher://x/y')).toMatchObject({ code: 'config_invalid' })
    const stranger = keyText(await Authority.create())
    expect(await own.refused('--key', stranger)).toMatchObject({ code: 'archive_damaged' })
    expect(await own.refused('--key', 'no such file')).toMatchObject({ code: 'key_unreadable' })
    expect(await own.refused('--key', file)).toMatchObject({ code: 'key_malformed' })
    const keyless = await commandLine(['restore', '--archive', own.authority.archive, '--output', own.output, '--json'])
    expect(keyless.json()).toMatchObject({ error: { code: 'usage' } })
    expect(await own.refused('--from-replica', empty)).toMatchObject({ code: 'io_failed' })
    expect(await own.refused('--from-replica', empty, '--txid', '3')).toMatchObject({ status: 2, code: 'usage' })
    const both = ['--archive', own.authority.archive, '--from-replica', empty]
    expect(await own.refused(...both)).toMatchObject({ code: 'io_failed' })
  })

  test('the output exists, or its WAL does, or a node has it open', async () => {
    const own = await restorer()
    for (const suffix of ['', '-wal', '-shm', '-journal']) {
      writeFileSync(own.output + suffix, 'precious')
      expect(await own.refused(), suffix).toMatchObject({ status: 5, code: 'database_exists' })
      expect(readFileSync(own.output + suffix, 'utf8')).toBe('precious')
      rmSync(own.output + suffix)
    }
    const data = join(own.folder, 'primary')
    mkdirSync(data)
    const lock = lockFolder(data)
    onTestFinished(() => lock.release())
    const output = join(data, 'macaroond.db')
    const running = await own.refused('--output', output)
    expect(running).toMatchObject({ status: 5, code: 'already_running' })
    expect(await own.refused('--old-data', data)).toMatchObject({ code: 'restore_unconfirmed' })
    writeFileSync(join(data, 'macaroond.db'), '')
    expect(await own.refused('--old-data', data)).toMatchObject({ status: 5, code: 'already_running' })
  })

  test.skipIf(!canMount)(`the disk is full${named}`, async () => {
    const authority = await Authority.create()
    await authority.claim()
    for (let number = 0; number < 20; number += 1) authority.grow(400)
    await authority.upload()
    const own = new Restorer(authority)
    const output = join(smallVolume(join(own.folder, 'small'), 1024 * 1024), 'restored.db')
    const full = await own.refused('--output', output, '--yes')
    expect(full).toMatchObject({ code: 'disk_full' })
    expect(readdirSync(join(own.folder, 'small'))).toEqual([])
  })
})

describe('a restore', () => {
  test('without any --at or --txid gives the newest state, and a dry run leaves nothing', async () => {
    const own = await restorer()
    const plan = { txid: 6, grain: 'newest', next: null }
    expect(await own.good('--dry-run')).toMatchObject({ file: null, plan, unread: [] })
    expect(readdirSync(own.folder)).toEqual([])
    const restored = await own.good()
    expect(restored).toMatchObject({ plan, carried: { revocations: 0 }, begun: { epoch: 2, txid: 6 + 2 ** 20 } })
    expect(own.revocations()).toEqual([TOKEN(1), TOKEN(2)])
    expect(readdirSync(own.folder)).toEqual(['restored.db'])
  })

  test('deletes the leftovers of a killed restore beside its output, not the files of a live one', async () => {
    const own = await restorer()
    const [killed, living] = ['killed', 'living'].map((name) => join(own.folder, `.restored.db.restore-${name}`))
    for (const folder of [killed, living]) mkdirSync(folder ?? '')
    writeFileSync(join(killed ?? '', 'target.db'), 'half a database')
    const lock = lockFolder(living ?? '')
    onTestFinished(() => lock.release())
    await own.good('--txid', '3')
    expect(readdirSync(own.folder).toSorted()).toEqual(['.restored.db.restore-living', 'restored.db'])
  })

  test('keeps what was revoked later, and leaves it out only if the operator asks twice', async () => {
    const own = await restorer()
    const early = ['--txid', '2']
    await own.good(...early)
    expect(own.revocations()).toEqual([TOKEN(1), TOKEN(2)])
    rmSync(own.output)
    const asked = await own.refused(...early, '--without-revocations')
    expect(asked).toMatchObject({ status: 2, code: 'restore_unconfirmed' })
    const without = await own.run(...early, '--without-revocations', '--yes', '--accept-head')
    expect(without.stderr).toContain('WARNING: tokens that were revoked after this time will be valid again')
    expect(own.revocations()).toEqual([])
  })

  test('keeps what only the old disk knew: revoked, acknowledged, and lost before it was archived', async () => {
    const own = await restorer()
    own.authority.revoke(TOKEN(3))
    await own.good('--txid', '2', '--old-data', own.authority.folder)
    expect(own.revocations()).toEqual([TOKEN(1), TOKEN(2), TOKEN(3)])
  })

  test('from a replica’s copy keeps what its journal knows ahead of its pages', async () => {
    const own = await restorer()
    const data = join(own.folder, 'replica')
    cpSync(own.authority.folder, data, { recursive: true })
    const place = { timeline: timeline('ab'.repeat(16)), epoch: epoch(1) }
    const row = { seq: 3, kind: 'token' as const, kid: TOKEN(3).slice(0, 16), nonce: TOKEN(3).slice(16), expiresAt: 0 }
    const journal = Buffer.concat([encodeTimeline(place), encodeRow(row), Buffer.alloc(64)])
    writeFileSync(join(data, 'revocations.journal'), journal)
    expect(await own.good('--from-replica', data)).toMatchObject({ carried: { revocations: 1 }, plan: null })
    expect(own.revocations()).toEqual([TOKEN(1), TOKEN(2), TOKEN(3)])
  })

  test('keeps every kind of revocation from a journal once, and asks about those it cannot read', async () => {
    const own = await restorer()
    const data = join(own.folder, 'replica')
    cpSync(own.authority.folder, data, { recursive: true })
    const place = { timeline: timeline('ab'.repeat(16)), epoch: epoch(1) }
    const rows = [
      { seq: 3, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 7, expiresAt: 0 },
      { seq: 4, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 8, expiresAt: 0 },
      { seq: 5, kind: 'key', org: 'acme', kid: '00000000000000a1', expiresAt: 0 },
      { seq: 6, kind: 'org_disabled', org: 'acme', expiresAt: 0 },
    ] as const
    // The last one came twice, in two timelines.
    const again = [encodeTimeline({ timeline: timeline('cd'.repeat(16)), epoch: epoch(2) }), encodeRow(rows[3])]
    const records = [encodeTimeline(place), ...rows.map(encodeRow), ...again]
    const journal = join(data, 'revocations.journal')
    writeFileSync(journal, Buffer.concat([...records, Buffer.alloc(64)]))
    expect(await own.good('--from-replica', data)).toMatchObject({ carried: { revocations: 4 } })
    const alice = Buffer.from('alice').toString('hex')
    const cutOff = (ms: number): string => ms.toString(16).padStart(16, '0') + alice
    expect(own.revocations()).toEqual([TOKEN(1), TOKEN(2), cutOff(7), cutOff(8), '00000000000000a1', ''])
    rmSync(own.output)

    const unknown = encodeRow({ kind: 'unknown', seq: 7, record: { seq: 7, kind: 'device' } })
    writeFileSync(journal, Buffer.concat([...records, unknown, Buffer.alloc(64)]))
    const refused = await own.refused('--from-replica', data)
    expect(refused.text).toContain('revocation 7 is of kind "device"')
  })

  test('asks for a yes if the archive’s head is unreadable, a position newer, an epoch traceless', async () => {
    const own = await restorer()
    const newest = '1.00000000000000ff.8000000000000000'
    const older = await own.refused('--newest', newest)
    expect(older).toMatchObject({ status: 2, code: 'restore_unconfirmed' })
    expect(older.text).toContain(`you know of ${newest}`)
    const last = join(own.authority.archive, 'ltx/0/0000000000000006-0000000000000006.ltx')
    const bytes = readFileSync(last)
    rmSync(last)
    const headless = await own.refused('--txid', '4')
    expect(headless).toMatchObject({ status: 2, code: 'restore_unconfirmed' })
    expect(headless.text).toContain('the archive’s head cannot be read')
    await own.good('--txid', '4', '--yes')
    expect(own.revocations()).toEqual([TOKEN(1)])
    rmSync(own.output)
    writeFileSync(last, bytes)
    await own.authority.claimedByAnother(2)
    const claimed = await own.refused('--txid', '4')
    expect(claimed.text).toContain('a primary has claimed epoch 2, and no transaction of it was read')
  })

  test('believes no file that is not what was archived, and names it', async () => {
    const own = await restorer()
    const path = join(own.authority.archive, 'ltx/0/0000000000000002-0000000000000002.ltx')
    const bytes = readFileSync(path)
    bytes[200] = (bytes[200] ?? 0) ^ 1
    writeFileSync(path, bytes)
    const damaged = await own.refused('--txid', '4', '--yes')
    expect(damaged).toMatchObject({ status: 1, code: 'archive_damaged' })
    expect(damaged.text).toContain('0000000000000002-0000000000000002.ltx')
    const key = keyText(own.authority)
    const verified = await commandLine([
      'archive',
      'verify',
      '--archive',
      own.authority.archive,
      '--key',
      key,
      '--json',
    ])
    expect(verified.status).toBe(1)
    expect(verified.json()).toMatchObject({ ok: false, bad: [{ key: 'ltx/0/0000000000000002-0000000000000002.ltx' }] })
  })
})
