/** Revocations and due cut-offs are written before all else, also where the disk has no room for a whole group. */
import { expect, test, vi } from 'vitest'
import type { Command } from '../../../primary/authority/commands.ts'
import { pause, systemClock } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { ACTOR } from '../authority/fixture.ts'
import { bench, createOrg, mint, outcomesOf } from './writer-bench.ts'

const DISK_FULL = new MacaroondError('disk_full', 'full')
const disable = (org: string): Command => {
  return { kind: 'org.disable', actor: ACTOR, org, reason: '' }
}

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
