import { expect, test, vi } from 'vitest'
import type { Command, Minted } from '../../../primary/authority/commands.ts'
import type { Row } from '../../../primary/authority/rows.ts'
import type { AuthorityState } from '../../../primary/authority/state.ts'
import {
  type Attempt,
  GroupWriter,
  type GroupWriterOptions,
  type WriterRules,
  type KnownRevocations,
  type TransactionPort,
} from '../../../primary/commit-log/group-writer.ts'
import { pause, systemClock } from '../../../shared/clock.ts'
import { checksum, epoch, parseTokenId, txid } from '../../../shared/ids.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import {
  BUNDLE_BYTES_MAX,
  GROUP_COMMANDS_MAX,
  GROUP_DECIDING_MS_MAX,
  OTHERS_IN_GROUP_MIN,
  WRITES_QUEUED_CHARS_MAX,
  WRITES_QUEUED_MAX,
} from '../../../shared/limits.ts'
import { ACTOR, countingEntropy, freshState, imageOf, KEK, NOW_MS } from '../authority/fixture.ts'
import { LOGIN, PRESENTER, withLogin } from '../authority/presented.ts'
import { ticketOf } from '../../shared/macaroon/ticket-of.ts'

/** A database in memory: what is committed, and what the open transaction would add. */
class MemoryPort implements TransactionPort {
  readonly committed: Row[][] = []
  #open: Row[] | undefined
  #state: AuthorityState = freshState()
  failCommit: Error | undefined
  failWrite: Error | undefined
  rollbacks = 0
  onRollback: () => unknown = () => undefined

  readonly begin = (): void => {
    if (this.#open !== undefined) throw new Error('a transaction is open')
    this.#open = []
  }
  readonly write = (row: Row): void => {
    if (this.failWrite !== undefined) throw this.failWrite
    this.#open?.push(row)
  }
  readonly commit = (state: AuthorityState): { epoch: never; txid: never; checksum: never } => {
    if (this.failCommit !== undefined) throw this.failCommit
    this.committed.push(this.#open ?? [])
    this.#open = undefined
    this.#state = cloneOf(state)
    const at = { epoch: epoch(1), txid: txid(this.committed.length), checksum: checksum(1n << 63n) }
    return at as { epoch: never; txid: never; checksum: never }
  }
  readonly rollback = (): void => {
    this.#open = undefined
    this.rollbacks += 1
    this.onRollback()
  }
  readonly positionAt = (): undefined => undefined
  readonly migrate = (): boolean => false
  /** What was known when it was called last. */
  known: KnownRevocations | undefined
  readonly reload = (known?: KnownRevocations): AuthorityState => {
    this.known = known
    return { ...cloneOf(this.#state), undo: [] }
  }
}

function cloneOf(state: AuthorityState): AuthorityState {
  const { orgs, keys, dueCutOffs } = state
  return { ...state, orgs: new Map(orgs), keys: new Map(keys), dueCutOffs: new Map(dueCutOffs) }
}

interface Bench {
  readonly port: MemoryPort
  readonly writer: GroupWriter
  readonly rules: WriterRules
  readonly fatal: unknown[]
  gate: MacaroondError | undefined
  doubted: boolean
  readonly attempts: Attempt[]
}

/** `tickMs`: by how much every look at the monotonic clock moves it on. */
function bench(
  tickMs = 0,
  { due, prepare }: Pick<WriterRules, 'due'> & Pick<GroupWriterOptions, 'prepare'> = {},
): Bench {
  const port = new MemoryPort()
  const fatal: unknown[] = []
  let monotonicMs = 0
  const parts = { gate: undefined as MacaroondError | undefined, doubted: false, attempts: [] as Attempt[] }
  const writer = new GroupWriter({
    port,
    clock: { ...systemClock, wallMs: () => NOW_MS, monotonicMs: () => (monotonicMs += tickMs) },
    entropy: countingEntropy(),
    ring: [KEK],
    ...(prepare === undefined ? {} : { prepare }),
    onFatal: (error) => fatal.push(error),
  })
  const rules: WriterRules = {
    moment: () => ({
      nowMs: NOW_MS,
      steadyMs: NOW_MS,
      wallMs: NOW_MS,
      believed: parts.doubted ? undefined : { earliestMs: NOW_MS, latestMs: NOW_MS + 10_000 },
    }),
    ...(due === undefined ? {} : { due }),
    gate: () => {
      if (parts.gate !== undefined) throw parts.gate
    },
    onAttempt: (attempt) => parts.attempts.push(attempt),
  }
  writer.open(rules)
  return Object.assign(parts, { port, writer, rules, fatal })
}

const createOrg = (name: string): Command => ({ kind: 'org.create', actor: ACTOR, name })
const mint = (org: string): Command => ({
  kind: 'token.mint',
  actor: ACTOR,
  org,
  subject: 'x',
  caveats: [],
  ttlSeconds: 1,
})

function outcomesOf(results: readonly PromiseSettledResult<unknown>[]): string[] {
  return results.map((result) => {
    if (result.status === 'fulfilled') return 'done'
    return result.reason instanceof MacaroondError ? result.reason.code : String(result.reason)
  })
}

test('takes no command before it is opened, and is opened once', async () => {
  const own = { port: new MemoryPort(), clock: systemClock, entropy: countingEntropy(), ring: [KEK] }
  const writer = new GroupWriter({ ...own, onFatal: (error) => expect.unreachable(String(error)) })
  await expect(writer.submit(createOrg('a'))).rejects.toThrow('before it is opened')
  expect(own.port.committed).toEqual([])
  const rules = bench().rules
  writer.open(rules)
  expect(() => writer.open(rules)).toThrow('once')
})

test('commands that come together share one transaction and one position', async () => {
  const { port, writer } = bench()
  const [first, second] = await Promise.all([writer.submit(createOrg('a')), writer.submit(createOrg('b'))])
  expect(port.committed).toHaveLength(1)
  expect(first.position).toBe(second.position)
})

test('a due cut-off comes before a revocation in one transaction, and alone if none waits', async () => {
  const configured = { replicas: [], durability: 'local', degraded: false } as const
  const note = { kind: 'configuration.note', actor: ACTOR, configured } as const
  const { port, writer } = bench(0, { due: (state) => (state.configured === undefined ? note : undefined) })
  await writer.submit(createOrg('acme'))
  const actions = port.committed.map((rows) => rows.flatMap((one) => (one.table === 'audit' ? [one.row.action] : [])))
  expect(actions).toEqual([['configuration.note', 'org.create']])
  const idle = bench(0, { due: (state) => (state.configured === undefined ? note : undefined) })
  idle.writer.nudge()
  await new Promise((resolve) => setImmediate(resolve))
  expect(idle.port.committed).toHaveLength(1)
  idle.writer.nudge()
  await new Promise((resolve) => setImmediate(resolve))
  expect(idle.port.committed).toHaveLength(1)
})

test('a refused command does not hurt its group', async () => {
  const { port, writer } = bench()
  await writer.submit(createOrg('acme'))
  const results = await Promise.allSettled(
    [mint('acme'), createOrg('acme'), mint('nobody'), mint('acme')].map((command) => writer.submit(command)),
  )
  expect(outcomesOf(results)).toEqual(['done', 'org_exists', 'org_unknown', 'done'])
  expect(port.committed).toHaveLength(2)
  expect(port.committed[1]?.filter(({ table }) => table === 'issued')).toHaveLength(2)
  expect(port.committed[1]?.filter(({ table }) => table === 'audit')).toHaveLength(2)
})

test('later commands of a group see what earlier ones did', async () => {
  const { writer } = bench()
  const results = await Promise.allSettled([createOrg('acme'), mint('acme')].map((command) => writer.submit(command)))
  expect(outcomesOf(results)).toEqual(['done', 'done'])
})

test('a group in which everything was refused commits nothing', async () => {
  const { port, writer } = bench()
  expect(outcomesOf(await Promise.allSettled([writer.submit(mint('nobody'))]))).toEqual(['org_unknown'])
  expect(port.committed).toHaveLength(0)
  expect(port.rollbacks).toBe(1)
})

for (const [where, field] of [
  ['commit', 'failCommit'],
  ['write', 'failWrite'],
] as const) {
  test(`a ${where} that fails rejects the whole group, and what it had decided is forgotten`, async () => {
    const { port, writer, fatal } = bench()
    await writer.submit(createOrg('acme'))
    const before = imageOf(writer.state)
    port[field] = new MacaroondError('disk_full', 'full')
    const results = await Promise.allSettled(
      [createOrg('lost'), mint('acme'), createOrg('acme')].map((command) => writer.submit(command)),
    )
    const refusedAlone = where === 'commit' ? 'org_exists' : 'disk_full'
    expect(outcomesOf(results)).toEqual(['disk_full', 'disk_full', refusedAlone])
    expect(imageOf(writer.state)).toBe(before)
    port[field] = undefined
    expect(outcomesOf(await Promise.allSettled([writer.submit(createOrg('lost'))]))).toEqual(['done'])
    expect(fatal).toEqual([])
  })
}

test('after a failure known revocations are kept, without those of the group that failed', async () => {
  const { port, writer } = bench()
  await writer.submit(createOrg('acme'))
  const ids = await Promise.all([1, 2].map(async () => (await writer.submit<Minted>(mint('acme'))).answer.id))
  const [first, second] = ids.map((id) => parseTokenId(id))
  const revoke = (name: object): Command =>
    ({ kind: 'token.revoke', actor: ACTOR, ...name, expiresAt: 0, recorded: true, reason: '' }) as Command
  const why = { actor: ACTOR, reason: '' }
  await writer.submit(revoke(first ?? {}))
  const { revocations } = writer.state
  port.failCommit = new MacaroondError('disk_full', 'full')
  const lost = [revoke(second ?? {}), { kind: 'org.disable', org: 'acme', ...why } as const]
  expect(outcomesOf(await Promise.allSettled(lost.map((command) => writer.submit(command))))).toEqual([
    'disk_full',
    'disk_full',
  ])
  // Nothing is read again that was known: the same table, up to the last committed one.
  expect(port.known?.revocations).toBe(revocations)
  expect([port.known?.seq, revocations.size]).toEqual([1, 1])
  const revoked = ids.map((id) => revocations.revoked(parseTokenId(id).kid, parseTokenId(id).nonce))
  expect([revoked, revocations.cutOffs.size]).toEqual([[true, false], 0])
  port.failCommit = undefined
  expect(outcomesOf(await Promise.allSettled([writer.submit(mint('acme'))]))).toEqual(['done'])
})

test('the node fails if the state cannot be read back after a failure', async () => {
  const { port, writer, fatal } = bench()
  port.failCommit = new MacaroondError('disk_full', 'full')
  const broken = new Error('cannot read')
  Object.assign(port, {
    reload: () => {
      throw broken
    },
  })
  await expect(writer.submit(createOrg('acme'))).rejects.toThrow('full')
  expect(fatal).toEqual([broken])
})

test('a closed gate refuses at once, and also what was waiting when it closed', async () => {
  const parts = bench()
  const waiting = parts.writer.submit(createOrg('acme'))
  parts.gate = new MacaroondError('closed', 'stopping')
  const results = await Promise.allSettled([waiting, parts.writer.submit(createOrg('other'))])
  expect(outcomesOf(results)).toEqual(['closed', 'closed'])
  expect(parts.port.committed).toHaveLength(0)
})

test('no group is larger than the limit, and the queue has an end', async () => {
  const { port, writer } = bench()
  const commands = Array.from({ length: WRITES_QUEUED_MAX + 5 }, (_, index) => createOrg(`org-${index}`))
  const outcomes = outcomesOf(await Promise.allSettled(commands.map((command) => writer.submit(command))))
  expect(outcomes.filter((outcome) => outcome === 'overloaded')).toHaveLength(5)
  expect(outcomes.slice(-5)).toEqual(Array(5).fill('overloaded'))
  const sizes = port.committed.map((rows) => rows.filter(({ table }) => table === 'orgs').length)
  expect(Math.max(...sizes)).toBe(GROUP_COMMANDS_MAX)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(WRITES_QUEUED_MAX)
})

/** Presents what no authority made a ticket of: costly to find out, and refused. */
const discharge: Command = {
  kind: 'token.discharge',
  actor: ACTOR,
  presenter: PRESENTER,
  ticket: Buffer.of(1),
  tokens: ['x'],
}

test('presented tokens are judged last, and for a bounded time: mints and revocations pass them', async () => {
  const { port, writer } = bench(GROUP_DECIDING_MS_MAX / 2)
  await writer.submit(createOrg('acme'))
  const { answer } = await writer.submit<Minted>(mint('acme'))
  const { kid, nonce } = parseTokenId(answer.id)
  const revoke = { kind: 'token.revoke', actor: ACTOR, kid, nonce, expiresAt: 0, recorded: true, reason: '' } as const
  let refused = 0
  const flood = Array.from({ length: 6 }, () => writer.submit(discharge).catch(() => (refused += 1)))
  await Promise.all([writer.submit(mint('acme')), writer.submit(revoke)])
  expect(refused).toBe(2)
  expect(port.committed[2]?.map(({ table }) => table)).toEqual(['revocations', 'audit', 'issued', 'audit'])
  await Promise.all(flood)
  // Those that waited came in two further groups.
  expect([port.committed.length, port.rollbacks]).toEqual([3, 2])
})

test('a flood of mints leaves presented tokens a place in every group', async () => {
  const { port, writer } = bench()
  await writer.submit(createOrg('acme'))
  const flood = Array.from({ length: GROUP_COMMANDS_MAX * 3 }, () => writer.submit(mint('acme')))
  await expect(writer.submit(discharge)).rejects.toMatchObject({ code: 'ticket_invalid' })
  expect(port.committed).toHaveLength(2)
  await Promise.all(flood)
})

test('a flood of revocations leaves everything else places in every group', async () => {
  const { port, writer } = bench()
  await Promise.all([writer.submit(createOrg('acme')), writer.submit(createOrg('globex'))])
  let revoked = 0
  const flood = Array.from({ length: GROUP_COMMANDS_MAX * 5 }, (_, n) => revokeOf('flood', 'acme', `s${n}`))
  const flooded = flood.map((command) => writer.submit(command).then(() => (revoked += 1)))
  await Promise.all(Array.from({ length: OTHERS_IN_GROUP_MIN }, () => writer.submit(mint('globex'))))
  expect(revoked).toBeLessThanOrEqual(GROUP_COMMANDS_MAX - OTHERS_IN_GROUP_MIN)
  expect(port.committed[1]?.[0]).toMatchObject({ table: 'revocations' })
  await Promise.all(flooded)
})

test('presented tokens that wait are bounded in size as well as in number', async () => {
  const { writer } = bench()
  const tokens = ['x'.repeat(BUNDLE_BYTES_MAX)]
  const command = { ...discharge, tokens }
  const most = Math.floor(WRITES_QUEUED_CHARS_MAX / (BUNDLE_BYTES_MAX + 256))
  const flood = Array.from({ length: most + 2 }, () => writer.submit(command))
  const mintable = writer.submit(createOrg('acme'))
  const outcomes = outcomesOf(await Promise.allSettled([...flood, mintable]))
  expect(outcomes.slice(-4)).toEqual(['ticket_invalid', 'overloaded', 'overloaded', 'done'])
  // What was answered makes room again.
  expect(outcomesOf(await Promise.allSettled([writer.submit(command)]))).toEqual(['ticket_invalid'])
})

test('a revocation passes every mint that waits, and a flood of mints keeps none out', async () => {
  const { port, writer } = bench()
  await writer.submit(createOrg('acme'))
  const { answer } = await writer.submit<Minted>(mint('acme'))
  const flood = Array.from({ length: WRITES_QUEUED_MAX }, () => writer.submit(mint('acme')))
  const { kid, nonce } = parseTokenId(answer.id)
  const command = { kind: 'token.revoke', actor: ACTOR, kid, nonce, expiresAt: 0, recorded: true, reason: '' } as const
  await writer.submit(command)
  // The org, the first mint, and the first group of the flood, with the revocation in it.
  expect(port.committed).toHaveLength(3)
  expect(port.committed[2]?.[0]).toMatchObject({ table: 'revocations' })
  await Promise.all(flood)
})

test('tokens of one group have nonces in the order of their commands', async () => {
  const { writer } = bench()
  await writer.submit(createOrg('acme'))
  const minted = await Promise.all(Array.from({ length: 50 }, () => writer.submit<Minted>(mint('acme'))))
  const ids = minted.map(({ answer }) => answer.id)
  expect(ids).toEqual(ids.toSorted())
})

test('presented tokens are judged by the believed time, not by a wall clock that was set back', async () => {
  const { writer } = bench()
  await writer.submit(createOrg('acme'))
  const { answer } = await writer.submit<Minted>(mint('acme'))
  const bundle = withLogin(answer.token)
  const exchange: Command = {
    kind: 'token.exchange',
    actor: ACTOR,
    presenter: PRESENTER,
    bundle,
    strip: LOGIN,
    id: answer.id,
    ticket: ticketOf(bundle),
    ttlSeconds: 60,
    ttlSecondsMax: 60,
  }
  await expect(writer.submit(exchange)).rejects.toThrow('(expired)')
})

/** Of many callers, each for an org of its own. */
const revokeOf = (caller: string, org: string, subject: string): Command => ({
  kind: 'issued.revoke',
  actor: { text: caller },
  org,
  subject,
  untilMs: undefined,
  reason: '',
})

test('a flood of revocations of one caller lets the one of another org into the next group', async () => {
  const { port, writer } = bench()
  await Promise.all([writer.submit(createOrg('acme')), writer.submit(createOrg('globex'))])
  const order: string[] = []
  const flood = Array.from({ length: GROUP_COMMANDS_MAX * 5 }, (_, n) => revokeOf('flood', 'acme', `s${n}`))
  const flooded = flood.map((command) => writer.submit(command).then(() => order.push('flood')))
  const honest = writer.submit(revokeOf('honest', 'globex', 'alice')).then(() => order.push('honest'))
  await honest
  expect(order.length).toBeLessThanOrEqual(GROUP_COMMANDS_MAX)
  expect(port.committed.length).toBe(2)
  await Promise.all(flooded)
})

test('a caller that fills the queue loses its newest commands to those of other callers', async () => {
  const { writer } = bench()
  await Promise.all([writer.submit(createOrg('acme')), writer.submit(createOrg('globex'))])
  const flood = Array.from({ length: WRITES_QUEUED_MAX }, (_, n) => writer.submit(revokeOf('flood', 'acme', `s${n}`)))
  const results = Promise.allSettled(flood)
  const honest = Array.from({ length: 20 }, (_, n) => writer.submit(revokeOf('honest', 'globex', `s${n}`)))
  expect(outcomesOf(await Promise.allSettled(honest))).toEqual(Array(20).fill('done'))
  const outcomes = outcomesOf(await results)
  expect(outcomes.filter((outcome) => outcome === 'overloaded').length).toBe(20)
  expect(outcomes.slice(-20)).toEqual(Array(20).fill('overloaded'))
})

test('nothing is looked up before a command has its turn, nor for one that never has it', async () => {
  const looked: string[] = []
  const parts = bench(0, {
    prepare: (command) => {
      looked.push(command.kind)
      return command
    },
  })
  const { writer } = parts
  await writer.submit(createOrg('acme'))
  looked.length = 0
  const flood = Array.from({ length: WRITES_QUEUED_MAX + 50 }, () => writer.submit(revokeOf('a', 'acme', 'x')))
  const results = Promise.allSettled(flood)
  expect(looked).toEqual([])
  await results
  expect(looked.length).toBe(WRITES_QUEUED_MAX)
})

test('a mint whose caller is gone is not carried out, a revocation is', async () => {
  const { port, writer } = bench()
  await writer.submit(createOrg('acme'))
  const leaving = new AbortController()
  const minted = writer.submit(mint('acme'), leaving.signal)
  const revoked = writer.submit(revokeOf('a', 'acme', 'x'))
  leaving.abort()
  expect(outcomesOf(await Promise.allSettled([minted, revoked]))).toEqual(['closed', 'done'])
  expect(port.committed.at(-1)?.some(({ table }) => table === 'issued')).toBe(false)
})

const DISK_FULL = new MacaroondError('disk_full', 'full')
const disable = (org: string): Command => {
  return { kind: 'org.disable', actor: ACTOR, org, reason: '' }
}

test('a group that the disk has no room for is tried again with its revocations alone', async () => {
  const { port, writer, attempts } = bench()
  await Promise.all([writer.submit(createOrg('acme')), writer.submit(createOrg('beta'))])
  // The first transaction of the group finds no room, the second does.
  port.failCommit = DISK_FULL
  port.onRollback = () => (port.failCommit = undefined)
  const results = await Promise.allSettled(
    [mint('beta'), disable('nobody'), disable('acme'), createOrg('other')].map((command) => writer.submit(command)),
  )
  expect(outcomesOf(results)).toEqual(['disk_full', 'org_unknown', 'done', 'disk_full'])
  expect(attempts.map(({ error, essential }) => [error === undefined, essential])).toEqual([
    [true, false],
    [false, false],
    [true, false],
  ])
})

test('without revocations a group that has no room is not tried again', async () => {
  const { port, writer, attempts } = bench()
  port.failCommit = DISK_FULL
  const results = await Promise.allSettled([createOrg('a'), createOrg('b')].map((command) => writer.submit(command)))
  expect(outcomesOf(results)).toEqual(['disk_full', 'disk_full'])
  expect(attempts).toEqual([{ error: DISK_FULL, essential: false }])
})

test('due cut-offs are written before any mint, and callers are refused when the write fails', async () => {
  const parts = bench()
  const { port, writer } = parts
  await writer.submit(createOrg('acme'))
  parts.doubted = true
  const revoke = { kind: 'issued.revoke', actor: ACTOR, org: 'acme', subject: undefined, untilMs: undefined } as const
  await writer.submit({ ...revoke, reason: '' })
  parts.doubted = false
  port.failCommit = DISK_FULL
  expect(outcomesOf(await Promise.allSettled([writer.submit(mint('acme'))]))).toEqual(['disk_full'])
  port.failCommit = undefined
  expect(outcomesOf(await Promise.allSettled([writer.submit(mint('acme'))]))).toEqual(['done'])
  const tables = port.committed.slice(-2).map((rows) => rows.map(({ table }) => table))
  expect(tables[0]).toContain('due_cut_offs removed')
  expect(tables[1]).toContain('issued')
})

test('due cut-offs follow one another without a pause, but not while they cannot be written', async () => {
  const parts = bench()
  const { port, writer } = parts
  await writer.submit(createOrg('acme'))
  parts.doubted = true
  const subjects = Array.from({ length: 250 }, (_, index) => `nobody ${index}`)
  const revoke = { kind: 'issued.revoke', actor: ACTOR, org: 'acme', untilMs: undefined, reason: '' } as const
  await Promise.all(subjects.map((subject) => writer.submit({ ...revoke, subject })))
  parts.doubted = false
  port.failCommit = DISK_FULL
  const before = port.committed.length
  writer.appendDueCutOffs()
  await pause(systemClock, 20)
  // Tried, tried once more without the rest, and then left alone.
  expect(parts.attempts.filter(({ error }) => error !== undefined).length).toBeLessThanOrEqual(2)
  port.failCommit = undefined
  writer.appendDueCutOffs()
  await vi.waitFor(() => expect(writer.state.dueCutOffs.size).toBe(0))
  expect(port.committed.length - before).toBe(3)
})
