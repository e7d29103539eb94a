/** No kind of command, and no caller, keeps another one out of the next group. */
import { expect, test } from 'vitest'
import type { Command, Minted } from '../../../primary/authority/commands.ts'
import { parseTokenId } from '../../../shared/ids.ts'
import {
  BUNDLE_BYTES_MAX,
  GROUP_COMMANDS_MAX,
  GROUP_DECIDING_MS_MAX,
  OTHERS_IN_GROUP_MIN,
  WRITES_QUEUED_CHARS_MAX,
  WRITES_QUEUED_MAX,
} from '../../../shared/limits.ts'
import { ACTOR } from '../authority/fixture.ts'
import { LOGIN, PRESENTER, withLogin } from '../authority/presented.ts'
import { ticketOf } from '../../shared/macaroon/ticket-of.ts'
import { bench, createOrg, mint, outcomesOf, revokeOf } from './writer-bench.ts'

/** Presents what no authority made a ticket of: costly to find out, and refused. */
const discharge: Command = {
  kind: 'token.discharge',
  actor: ACTOR,
  presenter: PRESENTER,
  ticket: Buffer.of(1),
  tokens: ['x'],
}

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
