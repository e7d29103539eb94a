import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Durability, type DurabilityOptions } from '../../../primary/durability/durability.ts'
import { Threshold } from '../../../primary/durability/threshold.ts'
import { systemClock } from '../../../shared/clock.ts'
import { checksum, epoch, txid } from '../../../shared/ids.ts'
import { REVOKE_DURABLE_TIMEOUT_MS } from '../../../shared/limits.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const AT = { epoch: epoch(1), txid: txid(70), checksum: checksum(1n << 63n) }

function durable(settings: Partial<DurabilityOptions['settings']> = {}, replicas = true) {
  const acknowledged = new Threshold()
  const archived = new Threshold()
  const durability = new Durability({
    settings: { degraded: false, ...settings },
    hasReplicas: () => replicas,
    acknowledged: (seq, resolve) => acknowledged.wait(seq, resolve),
    archived: (number, resolve) => archived.wait(number, resolve),
    clock: { ...systemClock, wallMs: () => 5 },
  })
  return { durability, acknowledged, archived }
}

test('a revocation waits for one replica’s disk, or for the primary’s if there is no replica', async () => {
  expect(await durable({}, false).durability.reach(7, AT)).toEqual({ durability: 'local' })
  const { durability, acknowledged } = durable()
  const reaching = durability.reach(7, AT)
  acknowledged.raise(6)
  await vi.advanceTimersByTimeAsync(REVOKE_DURABLE_TIMEOUT_MS - 1)
  acknowledged.raise(7)
  expect(await reaching).toEqual({ durability: 'replica' })
})

test('with `archive` the transaction must be archived, whatever replicas report', async () => {
  const { durability, acknowledged, archived } = durable({ revocations: 'archive' })
  acknowledged.raise(1_000)
  const reaching = durability.reach(7, AT)
  archived.raise(69)
  await vi.advanceTimersByTimeAsync(1)
  archived.raise(70)
  expect(await reaching).toEqual({ durability: 'archive' })
})

test.each([
  [undefined, /no replica has confirmed it/],
  ['archive', /not in the archive/],
] as const)('a revocation that is not durable in time has an unknown outcome (%s)', async (revocations, message) => {
  const { durability } = durable({ revocations })
  const reaching = durability.reach(7, AT).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(REVOKE_DURABLE_TIMEOUT_MS)
  expect(await reaching).toMatchObject({ code: 'position_unreached', message })
  expect(durability.status()).toMatchObject({ degraded: false, degradedSinceMs: null, degradedAnswers: 0 })
})

test('in degraded mode the answer and the status name it, until one is durable again', async () => {
  const { durability, acknowledged } = durable({ degraded: true })
  const reaching = durability.reach(7, AT)
  await vi.advanceTimersByTimeAsync(REVOKE_DURABLE_TIMEOUT_MS)
  expect(await reaching).toEqual({ durability: 'local', degraded: true })
  expect(durability.status()).toEqual({
    revocations: 'replica',
    degraded: true,
    degradedSinceMs: 5,
    degradedAnswers: 1,
  })
  acknowledged.raise(8)
  expect(await durability.reach(8, AT)).toEqual({ durability: 'replica' })
  expect(durability.status()).toMatchObject({ degradedSinceMs: null, degradedAnswers: 1 })
})
