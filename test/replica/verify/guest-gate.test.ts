import { expect, test } from 'vitest'
import { GuestGate } from '../../../replica/verify/guest-gate.ts'
import type { RpcCaller } from '../../../shared/channel/rpc-server.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { GUEST_TIME_SHARE } from '../../../shared/limits.ts'

const CALLER = {} as RpcCaller

/** Calls that take this long each, for as long, asked for again as soon as they were answered or turned away. */
function busy(costMs: number, spanMs: number): { readonly servedMs: number; readonly waits: readonly number[] } {
  let nowMs = 0
  let servedMs = 0
  const waits: number[] = []
  const gate = new GuestGate({ monotonicMs: () => nowMs })
  const { verify } = gate.guarded({
    verify: () => {
      nowMs += costMs
      servedMs += costMs
    },
  })
  while (nowMs < spanMs) {
    try {
      verify?.({}, CALLER)
    } catch (error) {
      expect(error).toMatchObject({ code: 'overloaded' })
      const wait = error instanceof MacaroondError ? (error.retryAfterMs ?? 0) : 0
      waits.push(wait)
      nowMs += 1
    }
  }
  return { servedMs, waits }
}

test('guests that flood get their share of the time, and a time to retry', () => {
  const { servedMs, waits } = busy(2, 10_000)
  expect(servedMs / 10_000).toBeGreaterThan(GUEST_TIME_SHARE * 0.8)
  expect(servedMs / 10_000).toBeLessThan(GUEST_TIME_SHARE * 1.05)
  expect(waits.length).toBeGreaterThan(0)
  expect(Math.min(...waits)).toBeGreaterThan(0)
})

test('guests that ask for little are never turned away', () => {
  let nowMs = 0
  let served = 0
  const { verify } = new GuestGate({ monotonicMs: () => nowMs }).guarded({
    verify: () => {
      nowMs += 0.1
      served += 1
    },
  })
  for (let count = 0; count < 10_000; count += 1) {
    verify?.({}, CALLER)
    nowMs += 1
  }
  expect(served).toBe(10_000)
})

test('a call that fails costs its time as well, and its own error is what is answered', () => {
  let nowMs = 0
  const gate = new GuestGate({ monotonicMs: () => nowMs })
  const { verify } = gate.guarded({
    verify: () => {
      nowMs += 200
      throw new MacaroondError('request_invalid', 'no')
    },
  })
  expect(() => verify?.({}, CALLER)).toThrow(expect.objectContaining({ code: 'request_invalid' }))
  expect(() => verify?.({}, CALLER)).toThrow(expect.objectContaining({ code: 'overloaded' }))
})
