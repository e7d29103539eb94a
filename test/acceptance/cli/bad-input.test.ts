/** Bad input for every command that shows, acts or prepares: each row has a code and a status, and no command hangs. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { commandLine, type Ran } from '../../integration/cli/command.ts'
import { shellOf } from '../../integration/cli/shell.ts'
import { DevFolder } from '../../integration/cli/dev-folder.ts'

const here = DevFolder.forThisFile()
const LATER = '2100-01-01T00:00:00Z'

let id = ''
let unknownKey = ''

beforeAll(async () => {
  for (const org of ['acme', 'globex']) await here.operator(['org', 'create', org])
  const minted = await here.operator(['token', 'mint', '--org', 'acme', '--subject', 'alice', '--json'])
  id = minted.json<{ id: string }>().id
  unknownKey = `${'0'.repeat(16)}.${id.slice(17)}`
})

/** Commands that ask a node, with arguments that are good. */
const ASKING: Readonly<Record<string, () => readonly string[]>> = {
  'token list': () => ['token', 'list', '--org', 'acme'],
  'token show': () => ['token', 'show', id],
  'token revoke': () => ['token', 'revoke', '--id', id],
  'token revoke of a subject': () => ['token', 'revoke', '--org', 'acme', '--subject', 'nobody'],
  'token revoke --dry-run': () => ['token', 'revoke', '--id', id, '--dry-run'],
  'audit list': () => ['audit', 'list'],
  whoami: () => ['whoami'],
  reload: () => ['reload'],
  'archive snapshot --wait': () => ['archive', 'snapshot', '--wait'],
}

/** Commands that need no cluster, each in a folder of its own. */
const ALONE: Readonly<Record<string, (dir: string) => readonly string[]>> = {
  version: () => ['version'],
  completion: () => ['completion', 'bash'],
  'kek generate': (dir) => ['kek', 'generate', '--out', join(dir, 'kek')],
  init: (dir) =>
    `init --dir ${join(dir, 'cluster')} --cluster c --primary 127.0.0.1:7100 --region fra=127.0.0.1:7101`.split(' '),
  'peers add': (dir) => ['peers', 'add', '--dir', join(dir, 'cluster'), '--role', 'worker', '--name', 'api'],
  doctor: (dir) => ['doctor', '--config', join(dir, 'cluster/operator/operator.toml')],
}

function codeOf(ran: Ran): readonly [string, number] {
  const { error } = ran.json<{ error?: { code: string } }>()
  return [error?.code ?? 'no error', ran.status]
}

async function codeWith(args: readonly string[], profile?: string): Promise<readonly [string, number]> {
  const ran = await commandLine([...args, '--json'], profile === undefined ? {} : { profile })
  expect(ran.stdout, `${args.join(' ')}: ${ran.stderr}`).not.toBe('')
  return codeOf(ran)
}

describe.each(Object.keys(ASKING))('%s', (name) => {
  const args = (): readonly string[] => ASKING[name]?.() ?? []

  test('needs a profile, and says which one it cannot read', async () => {
    expect(await codeWith(args())).toEqual(['usage', 2])
    expect(await codeWith(args(), here.file('missing.toml'))).toEqual(['config_unreadable', 2])
    expect(await codeWith(args(), here.path)).toEqual(['config_unreadable', 2])
    writeFileSync(here.file('nonsense.toml'), 'primary = [')
    expect(await codeWith(args(), here.file('nonsense.toml'))).toEqual(['config_invalid', 2])
  })

  test('refuses a profile of another cluster by its name', async () => {
    const foreign = here.variant('foreign.toml', 'operator.toml', (text) =>
      text.replace(/^cluster = .*/m, 'cluster = "another"'),
    )
    expect(await codeWith(args(), foreign)).toEqual(['handshake_failed', 3])
  })

  test('refuses a role that may not', async () => {
    const roles = {
      'token list': ['worker'],
      whoami: [],
      reload: ['worker', 'signer'],
      'audit list': ['worker', 'signer'],
    }
    for (const role of (roles as Record<string, readonly string[]>)[name] ?? ['worker'])
      expect(await codeWith(args(), here.file(`${role}.toml`))).toEqual(['peer_refused', 3])
  })
})

describe('what does not exist, or not yet', () => {
  test.each<[readonly string[], string, number]>([
    [['token', 'list', '--org', 'nobody'], 'org_unknown', 1],
    [['token', 'list', '--org', 'Acme'], 'request_invalid', 2],
    [['token', 'list', '--org', 'acme', '--after', 'x'], 'usage', 2],
    [['token', 'list', '--org', 'acme', '--limit', '0'], 'usage', 2],
    [['token', 'list', '--org', 'acme', '--since', LATER], 'usage', 2],
    [['token', 'list', '--org', 'acme', '--since', '2026-11-01'], 'usage', 2],
    [['token', 'show', 'UNKNOWN'], 'key_unknown', 1],
    [['token', 'show', 'nonsense'], 'request_invalid', 2],
    [['token', 'revoke', '--id', 'UNKNOWN'], 'key_unknown', 1],
    [['token', 'revoke', '--id', 'UNKNOWN', '--dry-run'], 'key_unknown', 1],
    [['token', 'revoke', '--id', 'nonsense'], 'request_invalid', 2],
    [['token', 'revoke', '--org', 'nobody', '--subject', 'x'], 'org_unknown', 1],
    [['token', 'revoke', '--org', 'nobody', '--all', '--dry-run'], 'org_unknown', 1],
    [['token', 'revoke', '--org', 'globex', '--all', '--before', LATER], 'request_invalid', 2],
    [['token', 'revoke', '--org', 'globex'], 'usage', 2],
    [['org', 'disable', 'nobody'], 'org_unknown', 1],
    [['audit', 'list', '--since', LATER], 'usage', 2],
    [['audit', 'list', '--org', 'No Body'], 'request_invalid', 2],
    [['audit', 'list', '--region', 'nowhere'], 'usage', 2],
    [['whoami', '--region', 'nowhere'], 'usage', 2],
    [['reload', '--region', 'nowhere'], 'usage', 2],
    [['completion', 'tcsh'], 'usage', 2],
    [['doctor', '--config', 'MISSING'], 'config_unreadable', 2],
    [['doctor'], 'usage', 2],
    [['kek', 'generate'], 'usage', 2],
    [['kek', 'generate', '--out', 'MISSING/kek'], 'io_failed', 1],
    [['init', '--dir', 'MISSING'], 'usage', 2],
    [['peers', 'add', '--dir', 'MISSING', '--role', 'worker', '--name', 'api'], 'usage', 2],
    [['peers', 'add', '--dir', 'MISSING', '--role', 'boss', '--name', 'api'], 'usage', 2],
  ])('%j is %s (%i)', async (words, code, status) => {
    const args = words.map((word) => word.replace('UNKNOWN', unknownKey).replace('MISSING', here.file('missing')))
    expect(codeOf(await here.operator([...args, '--json']))).toEqual([code, status])
  })

  test('an org without records in the audit is an empty list', async () => {
    const ran = await here.operator(['audit', 'list', '--org', 'nobody', '--json'])
    expect(ran.json()).toMatchObject({ records: [] })
  })
})

/** Runs the commands that need no cluster in their order, because `peers add` needs the folder of `init`. */
async function eachAlone(dir: string, run: (name: string, args: readonly string[]) => Promise<void>): Promise<void> {
  mkdirSync(dir)
  for (const [name, args] of Object.entries(ALONE)) await run(name, args(dir))
}

test('commands that need no cluster do not mind a profile that is missing or foreign', async () => {
  const dir = here.file('alone')
  await eachAlone(dir, async (name, args) => {
    const ran = await commandLine([...args, '--json'], { profile: name === 'doctor' ? '' : here.file('missing.toml') })
    // The cluster of this folder does not run, which the doctor finds.
    expect([name, ran.status]).toEqual([name, name === 'doctor' ? 4 : 0])
  })
  // Nothing is overwritten.
  const again = async (name: string): Promise<unknown> => [name, ...(await codeWith(ALONE[name]?.(dir) ?? []))]
  expect(await again('kek generate')).toEqual(['kek generate', 'key_exists', 5])
  expect(await again('init')).toEqual(['init', 'usage', 2])
  expect(await again('peers add')).toEqual(['peers add', 'key_exists', 5])
})

/** Commands whose lost answer must be reported even to a closed pipe, because they changed something. */
const CHANGING = new Set(['reload', 'token revoke', 'token revoke of a subject', 'kek generate', 'init', 'peers add'])

describe('an answer that cannot be written', () => {
  async function unwritten(kind: 'pipe' | 'disk', args: readonly string[]): Promise<readonly [number | null, boolean]> {
    const { status, stderr } = await shellOf(args, kind === 'pipe' ? '| true' : '> /dev/full', here.profile)
    return [status, stderr.includes('answer_unwritten')]
  }

  const expected = (kind: 'pipe' | 'disk', name: string): readonly [number, boolean] =>
    kind === 'disk' || CHANGING.has(name) ? [1, true] : [0, false]

  const asking = Object.keys(ASKING).filter((name) => !name.includes('--wait'))

  test.each(asking)('of %s: a closed pipe ends it, a full disk fails it', { timeout: 60_000 }, async (name) => {
    const args = ASKING[name]?.() ?? []
    for (const kind of ['pipe', 'disk'] as const)
      expect([kind, ...(await unwritten(kind, args))]).toEqual([kind, ...expected(kind, name)])
  })

  test('of the commands that need no cluster', { timeout: 120_000 }, async () => {
    for (const kind of ['pipe', 'disk'] as const) {
      const dir = here.file(`unwritten-${kind}`)
      await eachAlone(dir, async (name, args) => {
        if (name === 'doctor') return
        expect([kind, name, ...(await unwritten(kind, args))]).toEqual([kind, name, ...expected(kind, name)])
      })
      expect(existsSync(join(dir, 'cluster/workers/api/worker.toml'))).toBe(true)
    }
  })
})
