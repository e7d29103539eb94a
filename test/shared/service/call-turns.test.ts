import { expect, test } from 'vitest'
import { CallTurns } from '../../../shared/service/call-turns.ts'
import { CALLS_SLICE_MS } from '../../../shared/limits.ts'

/** A node whose calls take a millisecond each, and whose event loop turns when it is told to. */
function node(): {
  readonly served: string[]
  /** One more connection of that peer, with so many calls one after the other. */
  readonly connect: (peer: string, calls: number) => Promise<void>
  readonly turn: () => Promise<void>
} {
  let nowMs = 0
  const soon: (() => void)[] = []
  const served: string[] = []
  const turns = new CallTurns({ monotonicMs: () => nowMs, soon: (call) => void soon.push(call) })
  const connect = async (peer: string, calls: number): Promise<void> => {
    const inTurn = turns.of(peer)
    for (let left = calls; left > 0; left -= 1) {
      await inTurn(() => {
        nowMs += 1
        served.push(peer)
      })
    }
  }
  const turn = async (): Promise<void> => {
    for (const call of soon.splice(0)) call()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { served, connect, turn }
}

const LONGEST = CALLS_SLICE_MS + 1
const PING_MS = 250

test('a call is served at once while there is time, without waiting for a turn of the loop', () => {
  const { connect, served } = node()
  void connect('a', 1)
  expect(served).toEqual(['a'])
})

test('a flood is served for a bounded stretch, and then everything else has its turn', async () => {
  const { connect, served, turn } = node()
  for (let connection = 0; connection < 40; connection += 1) void connect('flood', 100)
  await new Promise((resolve) => setImmediate(resolve))
  expect(served.length).toBeLessThanOrEqual(LONGEST)
  for (let turns = 0; turns < 20; turns += 1) {
    const before = served.length
    await turn()
    expect(served.length - before).toBeLessThanOrEqual(LONGEST)
  }
})

test('peers take turns, however many connections one of them has', async () => {
  const { connect, served, turn } = node()
  for (let connection = 0; connection < 40; connection += 1) void connect('flood', 100)
  const honest = connect('honest', 20)
  while (served.filter((peer) => peer === 'honest').length < 20) await turn()
  await honest
  expect(served.length).toBeLessThan(3 * 20 + LONGEST)
})

/** In virtual time: timers that are due, then what was put off, as a loop does it. */
test('leases are renewed in time through a flood on all connections', async () => {
  let nowMs = 0
  const soon: (() => void)[] = []
  const turns = new CallTurns({ monotonicMs: () => nowMs, soon: (call) => void soon.push(call) })
  for (let connection = 0; connection < 40; connection += 1) {
    const inTurn = turns.of('flood')
    const flood = async (): Promise<void> => {
      for (;;) await inTurn(() => void (nowMs += 1))
    }
    void flood()
  }
  const lateMs: number[] = []
  for (let dueMs = PING_MS; dueMs <= 20 * PING_MS;) {
    if (nowMs >= dueMs) {
      lateMs.push(nowMs - dueMs)
      dueMs += PING_MS
    }
    for (const call of soon.splice(0)) call()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(Math.max(...lateMs)).toBeLessThanOrEqual(2 * LONGEST)
})

test('an exception of a call ends only its own connection', async () => {
  const { connect, served, turn } = node()
  void connect('flood', 100)
  const turns = new CallTurns({ monotonicMs: () => 0, soon: (call) => void setImmediate(call) })
  expect(() =>
    turns.of('a')(() => {
      throw new Error('no')
    }),
  ).toThrow('no')
  await turn()
  expect(served.length).toBeGreaterThan(0)
})
