import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { MacaroondError } from '../../../shared/errors.ts'
import { silentLog } from '../../../shared/log.ts'
import { runService, type Service } from '../../../shared/service/run-service.ts'

// Nodes of the tests before must not hear the signals of this one.
beforeEach(() => {
  process.removeAllListeners('SIGHUP')
})

const NOTHING_CHANGED = { peers: { added: [], removed: [], changed: [] }, applied: [], restart: [] }

interface Fake extends Service {
  readonly stops: () => number
  readonly reloads: () => number
  readonly fail: (error: unknown) => void
}

function fake(reload: () => void = () => undefined): Fake {
  const failed = Promise.withResolvers<unknown>()
  let stops = 0
  let reloads = 0
  return {
    failed: failed.promise,
    fail: failed.resolve,
    stop: () => {
      stops += 1
      return Promise.resolve()
    },
    reload: () => {
      reloads += 1
      reload()
      return NOTHING_CHANGED
    },
    stops: () => stops,
    reloads: () => reloads,
  }
}

/** As the system would deliver it, without ending this process should nobody listen. */
async function signal(name: NodeJS.Signals): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  process.emit(name)
}

for (const name of ['SIGTERM', 'SIGINT'] as const) {
  test(`${name} stops the node in order, with status 0`, async () => {
    const service = fake()
    const status = runService(() => Promise.resolve(service), silentLog)
    await signal(name)
    expect(await status).toBe(0)
    expect(service.stops()).toBe(1)
  })
}

test('a signal that comes twice stops the node once, and in order', async () => {
  const service = fake()
  const stopping = Promise.withResolvers<void>()
  const slow = { ...service, stop: () => service.stop().then(() => stopping.promise) }
  const status = runService(() => Promise.resolve(slow), silentLog)
  await signal('SIGTERM')
  await vi.waitFor(() => expect(service.stops()).toBe(1))
  // Without a listener the system would end the process.
  expect(process.listenerCount('SIGTERM')).toBeGreaterThan(0)
  await signal('SIGTERM')
  stopping.resolve()
  expect(await status).toBe(0)
  expect([service.stops(), process.listenerCount('SIGTERM')]).toEqual([1, 0])
})

test('SIGHUP reloads, and a configuration that is wrong leaves the node running', async () => {
  const service = fake(() => {
    throw new MacaroondError('config_invalid', 'wrong')
  })
  const status = runService(() => Promise.resolve(service), silentLog)
  await signal('SIGHUP')
  await signal('SIGHUP')
  expect(service.reloads()).toBe(2)
  await signal('SIGTERM')
  expect(await status).toBe(0)
})

test('SIGHUP during the start reloads once, as soon as the node is started', async () => {
  const service = fake()
  const starting = Promise.withResolvers<Service>()
  const status = runService(() => starting.promise, silentLog)
  // Without a listener the system would end the process.
  expect(process.listenerCount('SIGHUP')).toBeGreaterThan(0)
  await signal('SIGHUP')
  await signal('SIGHUP')
  expect(service.reloads()).toBe(0)
  starting.resolve(service)
  await expect.poll(service.reloads).toBe(1)
  await signal('SIGHUP')
  expect(service.reloads()).toBe(2)
  await signal('SIGTERM')
  expect(await status).toBe(0)
})

/** The status with which the process would end; it must not, because this one runs the tests. */
async function exitStatus(run: Promise<number>): Promise<number> {
  const exit = vi.spyOn(process, 'exit').mockImplementation((status) => {
    throw new Error(`exit ${String(status)}`)
  })
  onTestFinished(() => exit.mockRestore())
  const error: unknown = await run.catch((reason: unknown) => reason)
  return Number(/exit (\d+)/.exec(String(error))?.[1])
}

test('a failure ends the process untouched: with 5 if two histories conflict, else with 1', async () => {
  for (const [error, expected] of [
    [new MacaroondError('position_diverged', 'ahead'), 5],
    [new MacaroondError('foreign_write', 'somebody'), 1],
    [new Error('a bug'), 1],
  ] as const) {
    const service = fake()
    const run = runService(() => Promise.resolve(service), silentLog)
    service.fail(error)
    expect(await exitStatus(run)).toBe(expected)
    expect(service.stops()).toBe(0)
  }
})

test('a stop that fails ends the process all the same', async () => {
  const service = { ...fake(), stop: () => Promise.reject(new MacaroondError('io_failed', 'no fsync')) }
  const run = runService(() => Promise.resolve(service), silentLog)
  await signal('SIGTERM')
  expect(await exitStatus(run)).toBe(1)
})

test('a node that fails while it stops ends as one that has failed', async () => {
  const service = { ...fake(), stop: () => new Promise<void>(() => undefined) }
  const run = runService(() => Promise.resolve(service), silentLog)
  await signal('SIGTERM')
  service.fail(new MacaroondError('sync_failed', 'no fsync'))
  expect(await exitStatus(run)).toBe(1)
})

test('a node that cannot start says why', async () => {
  const start = (): Promise<Service> => Promise.reject(new MacaroondError('port_in_use', 'taken'))
  await expect(runService(start, silentLog)).rejects.toMatchObject({ code: 'port_in_use' })
})
