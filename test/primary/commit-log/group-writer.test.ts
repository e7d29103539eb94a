/** Commands that come together are one transaction, which is written whole or not at all. */
import { expect, test } from 'vitest'
import type { Command, Minted } from '../../../primary/authority/commands.ts'
import { GroupWriter } from '../../../primary/commit-log/group-writer.ts'
import { systemClock } from '../../../shared/clock.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { WRITES_QUEUED_MAX } from '../../../shared/limits.ts'
import { ACTOR, countingEntropy, imageOf, KEK } from '../authority/fixture.ts'
import { bench, createOrg, MemoryPort, mint, outcomesOf, revokeOf } from './writer-bench.ts'

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

test('tokens of one group have nonces in the order of their commands', async () => {
  const { writer } = bench()
  await writer.submit(createOrg('acme'))
  const minted = await Promise.all(Array.from({ length: 50 }, () => writer.submit<Minted>(mint('acme'))))
  const ids = minted.map(({ answer }) => answer.id)
  expect(ids).toEqual(ids.toSorted())
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
