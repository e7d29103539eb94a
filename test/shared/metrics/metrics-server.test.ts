import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../shared/log.ts'
import { gauge, type Metric } from '../../../shared/metrics/metric.ts'
import { MetricsServer } from '../../../shared/metrics/metrics-server.ts'
import { withMetrics } from '../../../shared/metrics/with-metrics.ts'

const NOTHING_CHANGED = { peers: { added: [], removed: [], changed: [] }, applied: [], restart: [] }

const one = (): readonly Metric[] => [gauge('macaroond_one', 'One.', 1)]

async function opened(collect: () => readonly Metric[] = one): Promise<MetricsServer> {
  const server = await MetricsServer.open({ address: '127.0.0.1:0', collect, log: silentLog })
  onTestFinished(() => server.close())
  return server
}

test('GET /metrics answers in the exposition format, HEAD without a body', async () => {
  const { address } = await opened()
  const answer = await fetch(`http://${address}/metrics?ignored=1`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
  expect(await answer.text()).toContain('\nmacaroond_one 1\n')
  const head = await fetch(`http://${address}/metrics`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('there is nothing else at that address, and nothing can be written to it', async () => {
  const { address } = await opened()
  const posted = await fetch(`http://${address}/metrics`, { method: 'POST', body: 'x' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  for (const path of ['/', '/metrics/', '/%6detrics', '/status']) {
    expect((await fetch(`http://${address}${path}`)).status).toBe(404)
  }
})

test('a count that fails is answered with 500 without the reason, and the next one is tried', async () => {
  let broken = true
  const { address } = await opened(() => {
    if (broken) throw new Error('the reason')
    return one()
  })
  const failed = await fetch(`http://${address}/metrics`)
  expect([failed.status, await failed.text()]).toEqual([500, expect.not.stringContaining('the reason')])
  broken = false
  expect((await fetch(`http://${address}/metrics`)).status).toBe(200)
})

test('an address in use or of another machine is refused with a hint, and the service stops', async () => {
  const { address } = await opened()
  for (const [taken, code] of [
    [address, 'port_in_use'],
    ['192.0.2.1:9464', 'io_failed'],
    ['nowhere', 'request_invalid'],
  ] as const) {
    let stops = 0
    const stop = async (): Promise<void> => void (stops += 1)
    const service = { failed: new Promise(() => undefined), reload: () => NOTHING_CHANGED, stop }
    const starting = withMetrics(service, { address: taken, collect: one, log: silentLog })
    await expect(starting).rejects.toMatchObject({ code, hint: expect.any(String) })
    expect(stops).toBe(1)
  }
})

test('stopping the service ends the server, also while somebody holds a connection', async () => {
  let stops = 0
  const stop = async (): Promise<void> => void (stops += 1)
  const inner = { failed: new Promise(() => undefined), reload: () => NOTHING_CHANGED, stop }
  let address = ''
  const log = Object.create(silentLog, {
    info: { value: (said: { address: string }) => (address = said.address) },
  }) as typeof silentLog
  const service = await withMetrics(inner, { address: '127.0.0.1:0', collect: one, log })
  expect((await fetch(`http://${address}/metrics`)).status).toBe(200)
  await service.stop()
  expect(stops).toBe(1)
  await expect(fetch(`http://${address}/metrics`)).rejects.toThrow('fetch failed')
})

test('readers that stall take the places of others for a while only', async () => {
  const options = { address: '127.0.0.1:0', collect: one, log: silentLog, connectionMsMax: 200 }
  const server = await MetricsServer.open(options)
  onTestFinished(() => server.close())
  const [host = '', port] = server.address.split(':')
  for (let n = 0; n < 16; n += 1) {
    const stalled = connect(Number(port), host, () => stalled.write('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n'))
    stalled.pause().on('error', () => undefined)
    onTestFinished(() => void stalled.destroy())
  }
  let status = 0
  while (status !== 200) {
    const asked = fetch(`http://${server.address}/metrics`).then((answer) => answer.status)
    status = await asked.catch(() => 0)
  }
  expect(status).toBe(200)
})
