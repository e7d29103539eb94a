/** Bodies of HTTP: what a third party is asked, what it answers, and requests to the metrics server. */
import { connect } from 'node:net'
import { once } from 'node:events'
import { pino } from 'pino'
import { createDischarger } from '../../../shared/discharge/discharger.ts'
import { sendRequest } from '../../../shared/discharge/exchange.ts'
import { endpointOf } from '../../../shared/discharge/location.ts'
import { DISCHARGE_PATH, readAnswer, readRequest } from '../../../shared/discharge/message.ts'
import { DISCHARGE_REQUEST_BYTES_MAX } from '../../../shared/limits.ts'
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { sealTicket } from '../../../shared/macaroon/ticket.ts'
import { MetricsServer } from '../../../shared/metrics/metrics-server.ts'
import { ENTROPY, TICKET, TICKET_KEYS } from '../fixed.ts'
import { decodeHttp, encodeHttp, responseOf } from '../http-message.ts'
import { requireSame, type Target } from '../target.ts'

const LOCATION = 'https://login.example'
const JSON_TYPE = { 'content-type': 'application/json' }

const ticket = encodeBase64Url(sealTicket(TICKET, { sharedKey: Buffer.alloc(32, 1) }, ENTROPY))

const asked = (body: object, headers: Readonly<Record<string, string>> = JSON_TYPE): Buffer =>
  encodeHttp({ status: 200, headers, body: Buffer.from(JSON.stringify(body)) })

async function runRequest(input: Buffer): Promise<string> {
  const { headers, body } = decodeHttp(input)
  const failures: unknown[] = []
  const discharger = createDischarger({
    location: LOCATION,
    keys: TICKET_KEYS,
    check: (condition) => {
      requireSame(condition, TICKET.condition, 'a changed condition was asked')
      return { caveats: ['op = read'] }
    },
    onError: (error) => failures.push(error),
    entropy: ENTROPY,
  })
  const request = new Request(LOCATION + DISCHARGE_PATH, { method: 'POST', headers, body: new Uint8Array(body) })
  const response = await discharger.handle(request)
  if (failures.length > 0) throw failures[0]
  const answer = readAnswer(await response.text())
  if (answer === undefined) throw new Error('an answer that the other side does not know')
  if (response.status === 200 && body.length > DISCHARGE_REQUEST_BYTES_MAX) throw new Error('a body beyond the limit')
  if (response.status === 200)
    requireSame(encodeBase64Url(readRequest(body.toString())!.ticket), ticket, 'a changed ticket')
  return `${response.status} ${answer.error?.code ?? ''}`.trimEnd()
}

async function runAnswer(input: Buffer): Promise<string> {
  const endpoint = endpointOf(LOCATION)!
  const answer = await sendRequest({
    fetch: () => Promise.resolve(responseOf(input)),
    thirdParty: { ...endpoint, credential: undefined },
    url: endpoint.url,
    body: JSON.stringify({ ticket }),
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  })
  if ('pending' in answer) return answer.retryAfterMs === undefined ? 'pending' : 'pending for a time'
  const said = Object.entries(answer).filter(([, value]) => value !== undefined)
  if (said.length !== 1) throw new Error('not exactly one answer')
  return said[0]![0]
}

/** Of this process: it ends with it. */
let server: Promise<string> | undefined

function metricsAddress(): Promise<string> {
  server ??= MetricsServer.open({
    address: '127.0.0.1:0',
    collect: () => [],
    log: pino({ level: 'silent' }),
  }).then(({ address }) => address)
  return server
}

const KNOWN_STATUSES: readonly string[] = [
  '200',
  '400',
  '404',
  '405',
  '408',
  '413',
  '414',
  '417',
  '431',
  '500',
  '501',
  '505',
]

async function runMetrics(input: Buffer): Promise<string> {
  const address = await metricsAddress()
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':').at(-1)) })
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.end(input)
  await once(socket, 'close').catch(() => undefined)
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(Buffer.concat(chunks).toString('latin1')) ?? []
  if (status === undefined) return 'no answer'
  if (!KNOWN_STATUSES.includes(status)) throw new Error(`an answer with status ${status}`)
  return status
}

export const HTTP_TARGETS: readonly Target[] = [
  {
    name: 'discharge request',
    seeds: () => [asked({ ticket }), asked({ ticket: 'AAAA' }), asked({ ticket }, {})],
    run: runRequest,
    codes: [],
    every: 8,
    reach: ['200', '400 request_invalid', '400 ticket_invalid', '415 request_invalid'],
  },
  {
    name: 'discharge answer',
    seeds: () => [
      asked({ discharge: 'mcn1_AAAA' }),
      asked({ poll_url: `${LOCATION}${DISCHARGE_PATH}/poll/x` }),
      asked({ user_interactive: { user_url: LOCATION, poll_url: LOCATION } }),
      encodeHttp({ status: 403, headers: JSON_TYPE, body: Buffer.from('{"error":{"code":"x","message":"no"}}') }),
      encodeHttp({ status: 503, headers: { 'retry-after': '7' }, body: Buffer.from('{}') }),
    ],
    run: runAnswer,
    codes: ['discharge_refused', 'discharge_invalid', 'discharge_unavailable'],
    every: 8,
    reach: [
      'discharge',
      'poll_url',
      'user_interactive',
      'pending',
      'pending for a time',
      'discharge_refused',
      'discharge_invalid',
    ],
  },
  {
    name: 'metrics request',
    seeds: () =>
      ['GET /metrics', 'POST /metrics', 'GET /'].map((line) =>
        Buffer.from(`${line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`),
      ),
    run: runMetrics,
    codes: [],
    every: 100,
    reach: ['200', '400'],
  },
]
