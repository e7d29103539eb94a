import { expect, test } from 'vitest'
import { PositionWaiters } from '../../../replica/verify/position-waiters.ts'
import { systemClock } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { MIN_POSITION_WAITERS_MAX, MIN_POSITION_WAITING_CHARS_MAX } from '../../../shared/limits.ts'

test('a waiter is answered when the position is reached, and not before', async () => {
  const waiters = new PositionWaiters(systemClock)
  let txid = 1
  const waiting = waiters.wait(10, () => txid >= 3)
  txid = 2
  waiters.wake()
  await expect(Promise.race([waiting, Promise.resolve('still waiting')])).resolves.toBe('still waiting')
  txid = 3
  waiters.wake()
  await expect(waiting).resolves.toBe(true)
})

test('a waiter whose position does not arrive gets an answer after a timeout', async () => {
  await expect(new PositionWaiters(systemClock).wait(10, () => false)).resolves.toBe(false)
})

test('a position that can never be reached is refused at once', async () => {
  const waiters = new PositionWaiters(systemClock)
  let superseded = false
  const reached = (): boolean => {
    if (superseded) throw new MacaroondError('position_superseded', 'undone')
    return false
  }
  const waiting = waiters.wait(10, reached)
  superseded = true
  waiters.wake()
  await expect(waiting).rejects.toMatchObject({ code: 'position_superseded' })
})

test('no more may wait than fit, in number and in memory', async () => {
  const waiters = new PositionWaiters(systemClock)
  const waiting = Array.from({ length: MIN_POSITION_WAITERS_MAX }, () => waiters.wait(1, () => false))
  await expect(waiters.wait(1, () => false)).rejects.toMatchObject({ code: 'overloaded' })
  await Promise.all(waiting)
  const large = waiters.wait(MIN_POSITION_WAITING_CHARS_MAX, () => false)
  await expect(waiters.wait(1, () => false)).rejects.toMatchObject({ code: 'overloaded' })
  await large
})
