/** What a person sees at a terminal of 80 columns, and a program in a pipe does not. */
import { join } from 'node:path'
import { createServer, type Server } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { macaroond } from '../../integration/cli/command.ts'
import { DevFolder } from '../../integration/cli/dev-folder.ts'
import { brokenLines, NO_TERMINAL, onTerminal } from '../../integration/cli/terminal.ts'

const here = DevFolder.forThisFile()
const why = NO_TERMINAL ?? ''

/** A port that accepts connections and never answers. */
async function silentPort(): Promise<number> {
  const server: Server = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as { readonly port: number }).port
}

async function profileWithSilentReplica(): Promise<string> {
  const port = await silentPort()
  return here.variant('silent.toml', 'operator.toml', (text) =>
    text.replace(/(region = "sin"[^[]*address = ")[^"]*/, `$1127.0.0.1:${port}`),
  )
}

test.skipIf(NO_TERMINAL !== undefined)(
  `a person sees what a command waits for, and nothing of it is left at its end${why}`,
  async () => {
    const profile = await profileWithSilentReplica()
    const { bytes, lines } = await onTerminal(['status'], { profile })
    expect(bytes).toContain('\r␛[Kasking the nodes, 1 s')
    expect(lines.join('\n')).not.toContain('asking the nodes')
    expect(lines[0]).toMatch(/^DEGRADED|^ALL|^DOWN/)
    const json = await onTerminal(['status', '--json'], { profile })
    expect(json.bytes).not.toContain('␛')
    const piped = await macaroond(['status'], { profile })
    expect([piped.stdout, piped.stderr].join('')).not.toContain('\u001b')
    expect(piped.stderr).toBe('')
  },
)

test.skipIf(NO_TERMINAL !== undefined)(
  `the steps of a rehearsal are shown while they run${why}`,
  { timeout: 120_000 },
  async () => {
    const { status, bytes, lines } = await onTerminal(['archive', 'rehearse'])
    expect(status, bytes).toBe(0)
    expect(bytes).toMatch(/\r␛\[K[a-z, ]+, \d+ s\r␛\[K/)
    expect(lines.filter((line) => /^[a-z, ]+, \d+ s$/.test(line))).toEqual([])
  },
)

test.skipIf(NO_TERMINAL !== undefined)(
  `org disable asks a person, and only the name of the org confirms${why}`,
  async () => {
    const disable = (org: string, typed: string): ReturnType<typeof onTerminal> =>
      onTerminal(['org', 'disable', org], { profile: here.profile, typed })
    for (const org of ['initech', 'hooli']) await here.operator(['org', 'create', org])
    for (const typed of ['y\n', '\n', '\u0004']) {
      const { status, lines } = await disable('initech', typed)
      expect(status, typed).toBe(2)
      expect(lines.join('\n')).toContain('initech is not disabled: its name was not typed (usage)')
    }
    const { status, lines } = await disable('initech', 'initech\n')
    expect([status, lines.join('\n')]).toEqual([0, expect.stringContaining('disabled initech: revocation')])
    // A program is not asked.
    expect((await here.operator(['org', 'disable', 'hooli'])).status).toBe(0)
  },
)

test.skipIf(NO_TERMINAL !== undefined)(`the help of every command breaks no word${why}`, async () => {
  const program = join(import.meta.dirname, 'every-help-child.ts')
  const { status, lines } = await onTerminal([], { program })
  expect([status, lines.filter((line) => line.startsWith('== ')).length > 60]).toEqual([0, true])
  expect(brokenLines(lines)).toEqual([])
})

test.skipIf(NO_TERMINAL !== undefined)(`status and every list break no word${why}`, async () => {
  const { profile } = here
  await here.operator(['org', 'create', 'globex'])
  const subject = `somebody with ${'many '.repeat(30)}names`
  const long = 'x'.repeat(120)
  for (const name of [subject, long]) await here.operator(['token', 'mint', '--org', 'globex', '--subject', name])
  const reason = `${'a reason of several words '.repeat(8)}${long}`
  await here.operator(['revoke', '--org', 'globex', '--subject', subject, '--reason', reason])
  await here.operator(['revoke', '--org', 'globex', '--all', '--reason', reason])
  const lists = [
    ['status'],
    ['revocations', 'list'],
    ['revocations', 'list', '--limit', '1'],
    ['token', 'list', '--org', 'globex'],
    ['token', 'list', '--org', 'globex', '--limit', '1'],
    ['audit', 'list'],
    ['audit', 'list', '--limit', '3'],
  ]
  for (const args of lists) {
    const { lines } = await onTerminal(args, { profile })
    expect([args, lines.length > 3, brokenLines(lines)]).toEqual([args, true, []])
  }
})

test('archive snapshot --wait ends when the snapshot is in the archive', async () => {
  const done = async (): Promise<number | null | undefined> => {
    const { nodes } = (await here.operator(['status', '--json'])).json<{
      nodes: readonly { status?: { archive?: { jobs: readonly { job: string; doneAtMs: number | null }[] } } }[]
    }>()
    return nodes[0]?.status?.archive?.jobs.find(({ job }) => job === 'snapshot')?.doneAtMs
  }
  const before = await done()
  const ran = await here.operator(['archive', 'snapshot', '--wait', '--json'])
  expect(ran.json()).toEqual({ asked: true, done: true })
  expect(await done()).not.toBe(before)
})
