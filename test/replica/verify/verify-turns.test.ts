import { expect, test } from 'vitest'
import { VerifyTurns } from '../../../replica/verify/verify-turns.ts'
import type { RpcCaller, RpcMethod } from '../../../shared/channel/rpc-server.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import { VERIFY_QUEUED_MAX, VERIFY_STRETCH_MS } from '../../../shared/limits.ts'

const NEVER = new AbortController().signal
const caller = (peerId: string, signal: AbortSignal = NEVER): RpcCaller => ({
  peerId: peerId as PeerIdText,
  remoteAddress: '',
  signal,
})

/** A replica whose verifications take a millisecond each, and whose event loop turns when it is told to. */
function replica(): {
  readonly served: string[]
  readonly listed: RpcMethod
  readonly guest: RpcMethod
  readonly turn: () => void
  readonly all: () => void
} {
  let nowMs = 0
  const soon: (() => void)[] = []
  const served: string[] = []
  const turns = new VerifyTurns({ monotonicMs: () => nowMs, soon: (call) => void soon.push(call) })
  const verify: RpcMethod = (_, { peerId }) => {
    nowMs += 1
    served.push(peerId)
    return peerId
  }
  const turn = (): void => {
    for (const call of soon.splice(0)) call()
  }
  return {
    served,
    listed: turns.sharing({ verify }, false)['verify'] as RpcMethod,
    guest: turns.sharing({ verify }, true)['verify'] as RpcMethod,
    turn,
    all: () => {
      while (soon.length > 0) turn()
    },
  }
}

test('a call is served at once while there is time, without waiting for a turn of the loop', () => {
  const { listed, served } = replica()
  expect(listed({}, caller('a'))).toBe('a')
  expect(served).toEqual(['a'])
})

test('a flood is served for a stretch; then peers take turns, and a stretch never lasts longer', async () => {
  const { listed, served, turn, all } = replica()
  const flood = Array.from({ length: 500 }, () => listed({}, caller('flood')))
  const longest = VERIFY_STRETCH_MS + 1
  expect(served.length).toBeLessThanOrEqual(longest)
  const honest = [listed({}, caller('a')), listed({}, caller('b'))]
  const before = served.length
  turn()
  expect(served.length - before).toBeLessThanOrEqual(longest)
  expect(served.slice(before)).toEqual(expect.arrayContaining(['a', 'b']))
  all()
  expect(await Promise.all(honest)).toEqual(['a', 'b'])
  expect((await Promise.all(flood)).length).toBe(500)
})

test('all unlisted peers together have one turn', () => {
  const { listed, guest, served, all } = replica()
  for (let n = 0; n < 300; n += 1) void guest({}, caller(`guest-${n}`))
  for (let n = 0; n < 10; n += 1) void listed({}, caller('worker'))
  const before = served.length
  all()
  expect(served.slice(before, before + 21).filter((peer) => peer === 'worker').length).toBe(10)
})

test('what waits is bounded, and a call whose caller is gone is not served', async () => {
  const { listed, served, all } = replica()
  const flood = Array.from({ length: VERIFY_QUEUED_MAX + 20 }, () => listed({}, caller('flood')))
  const outcomes = Promise.allSettled(flood.map(async (one) => one))
  const leaving = new AbortController()
  const lost = listed({}, caller('gone', leaving.signal))
  leaving.abort()
  all()
  await expect(lost).rejects.toMatchObject({ code: 'closed' })
  expect(served).not.toContain('gone')
  const refused = (await outcomes).filter(({ status }) => status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.length).toBeLessThan(30)
})

test('what a method throws is the answer, in its turn too', async () => {
  const turns = new VerifyTurns({ monotonicMs: () => 0, soon: (call) => void setImmediate(call) })
  const { verify } = turns.sharing({ verify: () => Promise.reject(new Error('no')) }, false)
  await expect(verify?.({}, caller('a'))).rejects.toThrow('no')
})
