import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../shared/log.ts'
import { scheduleJob } from '../../../shared/service/schedule.ts'

const EVERY_SECOND = '* * * * * *'

test('what is no cron expression is told with the name of its job', () => {
  for (const at of ['', 'daily', '61 * * * *', '* * * *', '* * * * * * *']) {
    const schedule = (): unknown => scheduleJob({ name: 'scrub', at, run: () => Promise.resolve() }, silentLog)
    expect(schedule).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining('scrub') as string }),
    )
  }
})

test('a job that fails is run again, and one that still runs is not started twice', async () => {
  let failures = 0
  const again = Promise.withResolvers<void>()
  const failing = (): Promise<void> => {
    failures += 1
    if (failures === 2) again.resolve()
    return Promise.reject(new Error('it fails'))
  }
  let runs = 0
  const begun = Promise.withResolvers<void>()
  const endless = (): Promise<void> => {
    runs += 1
    begun.resolve()
    return new Promise(() => undefined)
  }
  onTestFinished(scheduleJob({ name: 'failing', at: EVERY_SECOND, run: failing }, silentLog))
  onTestFinished(scheduleJob({ name: 'endless', at: EVERY_SECOND, run: endless }, silentLog))
  await Promise.all([again.promise, begun.promise])
  expect(runs).toBe(1)
})

test('a job whose time came while the process was held up runs as soon as it can', async () => {
  const ran = Promise.withResolvers<void>()
  const soon = new Date(Date.now() + 1_500)
  const at = `${soon.getSeconds()} ${soon.getMinutes()} ${soon.getHours()} * * *`
  const run = (): Promise<void> => Promise.resolve(ran.resolve())
  onTestFinished(scheduleJob({ name: 'daily', at, run }, silentLog))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000)
  expect(await ran.promise).toBeUndefined()
})
