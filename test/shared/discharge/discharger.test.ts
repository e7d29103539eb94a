import { request as httpRequest } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../shared/clock.ts'
import { createDischarger, type DischargeDecision } from '../../../shared/discharge/discharger.ts'
import { MemoryFlowStore } from '../../../shared/discharge/flow-store.ts'
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
import { type Host, needing, outcomeOf, thirdParty } from './fixture.ts'

const PATH = '/.well-known/macaroond/3p'

interface Body {
  readonly discharge?: string
  readonly poll_url?: string
  readonly user_interactive?: { readonly user_url: string; readonly poll_url: string }
  readonly error?: { readonly code: string; readonly message: string }
}

async function post(party: Host, ticket: Uint8Array, init: RequestInit = {}): Promise<[number, Body, Headers]> {
  const body = JSON.stringify({ ticket: encodeBase64Url(ticket) })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(party.origin + PATH, { method: 'POST', headers, body, ...init })
  return [response.status, (await response.json()) as Body, response.headers]
}

async function get(url: string): Promise<[number, Body, Headers]> {
  const response = await fetch(url)
  return [response.status, (await response.json()) as Body, response.headers]
}

const ticketOf = (token: ReturnType<typeof needing>): Uint8Array => token.caveats[0]?.cid ?? new Uint8Array()

describe('a discharger', () => {
  test('asks about the condition and gives a discharge that the verifier of the token accepts', async () => {
    const asked: string[] = []
    const party = await thirdParty((condition, request) => {
      asked.push(`${condition} by ${request.headers.get('authorization')}`)
      return { caveats: ['time < 2030-01-01T00:00:00Z'] }
    })
    const token = needing([party], 'may read')
    const headers = { 'content-type': 'application/json', authorization: 'Bearer b' }
    const [status, { discharge = '' }, sent] = await post(party, ticketOf(token), { headers })
    expect(status).toBe(200)
    expect(asked).toEqual(['may read by Bearer b'])
    expect(sent.get('cache-control')).toBe('no-store')
    const bundle = encodeBundle(bindDischarges(token, [decodeTokenText(discharge)]))
    expect([outcomeOf(bundle), outcomeOf(bundle, Date.UTC(2030, 0, 1))]).toEqual(['ok', 'caveat_refused'])
  })

  test('tells a refusal with its reason, and nothing else', async () => {
    const party = await thirdParty(() => ({ refused: 'log in first' }))
    const [status, body] = await post(party, ticketOf(needing([party])))
    expect([status, body]).toEqual([403, { error: { code: 'discharge_refused', message: 'log in first' } }])
  })

  test('does not ask about tickets that are not for it', async () => {
    let asked = 0
    const party = await thirdParty(() => {
      asked += 1
      return { caveats: [] }
    })
    const other = { origin: party.origin, sharedKey: new Uint8Array(32).fill(9) }
    const [status, body] = await post(party, ticketOf(needing([other])))
    expect([status, body.error?.code, asked]).toEqual([400, 'ticket_invalid', 0])
  })

  test('reports an internal error to its owner, and no detail of it to the client', async () => {
    const errors: unknown[] = []
    const fault = new Error('password of the database: hunter2')
    const party = await thirdParty(() => Promise.reject(fault), { onError: (error) => errors.push(error) })
    const [status, body] = await post(party, ticketOf(needing([party])))
    expect([status, body.error?.code]).toEqual([500, 'internal'])
    expect(JSON.stringify(body)).not.toContain('hunter2')
    expect(errors).toEqual([fault])
  })

  test('serves its own paths only, below its location, with their methods and their type', async () => {
    const party = await thirdParty(() => ({ caveats: [] }), { path: '/auth/' })
    const base = `${party.origin}/auth${PATH}`
    const status = async (url: string, init?: RequestInit): Promise<number> => (await fetch(url, init)).status
    const json = { 'content-type': 'application/json' }
    expect(await status(party.origin + PATH, { method: 'POST', headers: json, body: '{}' })).toBe(404)
    expect(await status(base, { method: 'POST', headers: json, body: '{}' })).toBe(400)
    expect(await status(base, { method: 'POST', headers: json, body: '{"ticket":"AA","more":1}' })).toBe(400)
    expect(await status(base, { method: 'POST', headers: json, body: '{"ticket":"A="}' })).toBe(400)
    expect(await status(base, { method: 'POST', headers: json, body: Buffer.from([0xff]) })).toBe(400)
    expect(await status(base, { method: 'POST', body: '{}' })).toBe(415)
    expect(await status(base)).toBe(405)
    expect(await status(`${base}/poll/x`, { method: 'POST' })).toBe(405)
    expect(await status(`${base}/poll/x`)).toBe(404)
    expect(await status(`${base}/poll/`)).toBe(404)
  })

  test('reads no more of a request than a ticket can be, whether its length is stated or not', async () => {
    const party = await thirdParty(() => ({ caveats: [] }))
    const big = 'x'.repeat(1_000_000)
    const stated = await fetch(party.origin + PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: big,
    }).then(
      ({ status }) => status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(stated)
    const sent = await new Promise<string>((resolve) => {
      const [host, port] = party.host.split(':')
      const call = httpRequest({
        host,
        port,
        path: PATH,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      })
      call.on('response', ({ statusCode }) => resolve(String(statusCode)))
      call.on('error', () => resolve('cut'))
      call.write(big)
      call.write(big)
    })
    expect(['413', 'cut']).toContain(sent)
    const [status] = await post(party, ticketOf(needing([party])))
    expect(status).toBe(200)
  })

  test('refuses locations and keys that cannot work', () => {
    const check = (): DischargeDecision => ({ caveats: [] })
    const keys = [{ sharedKey: new Uint8Array(32) }]
    for (const location of ['', 'login.example', 'ftp://a', 'https://a/?q', 'https://u:p@a', 'https://a/#f']) {
      expect(() => createDischarger({ location, keys, check })).toThrow(
        expect.objectContaining({ code: 'config_invalid' }),
      )
    }
    expect(() => createDischarger({ location: 'https://a', keys: [], check })).toThrow(/1 to 16 keys/)
  })
})

describe('a question that is left open', () => {
  const open = async (decision: (flow: string) => DischargeDecision, options: object = {}) => {
    let flow = ''
    const party = await thirdParty((_, __, name) => {
      flow = name
      return decision(name)
    }, options)
    const token = needing([party])
    const [status, body] = await post(party, ticketOf(token))
    return { party, token, status, body, flow }
  }

  test('is polled until it is settled, and its secret gives one discharge, even to two polls', async () => {
    const { party, token, status, body, flow } = await open(() => ({ poll: true }))
    const url = body.poll_url ?? ''
    expect(status).toBe(202)
    expect(url.startsWith(`${party.origin}${PATH}/poll/`)).toBe(true)
    const [pending, nothing, headers] = await get(url)
    expect([pending, nothing, headers.get('retry-after')]).toEqual([202, {}, '1'])
    expect(await party.discharger.settle(flow, { caveats: ['note = n'] })).toBe(true)
    const polls = await Promise.all([get(url), get(url), get(url)])
    expect(polls.map(([code]) => code).toSorted((a, b) => a - b)).toEqual([200, 404, 404])
    const discharge = decodeTokenText(polls.find(([code]) => code === 200)?.[1].discharge ?? '')
    expect(outcomeOf(encodeBundle(bindDischarges(token, [discharge])))).toBe('ok')
  })

  test('names the place where a person has to go', async () => {
    const { body, flow } = await open((name) => ({ userUrl: `https://login.example/${name}` }))
    expect(body.user_interactive?.user_url).toBe(`https://login.example/${flow}`)
    expect(body.user_interactive?.poll_url).not.toContain(flow)
  })

  test('can be refused, once', async () => {
    const { party, body, flow } = await open(() => ({ poll: true }))
    expect(await party.discharger.settle(flow, { refused: 'no' })).toBe(true)
    expect(await party.discharger.settle(flow, { caveats: [] })).toBe(false)
    const [status, answer] = await get(body.poll_url ?? '')
    expect([status, answer.error]).toEqual([403, { code: 'discharge_refused', message: 'no' }])
    expect((await get(body.poll_url ?? ''))[0]).toBe(404)
  })

  test('is not settled by its poll secret, nor polled by its name', async () => {
    const { party, body, flow } = await open(() => ({ poll: true }))
    const secret = (body.poll_url ?? '').split('/').at(-1) ?? ''
    expect(await party.discharger.settle(secret, { caveats: [] })).toBe(false)
    expect((await get(`${party.origin}${PATH}/poll/${flow}`))[0]).toBe(404)
  })

  test('runs out, settled or not', async () => {
    let nowMs = 1_000
    const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
    const { party, body, flow } = await open(() => ({ poll: true }), { clock, flowTtlMs: 100 })
    nowMs += 99
    expect(await party.discharger.settle(flow, { caveats: [] })).toBe(true)
    nowMs += 1
    expect((await get(body.poll_url ?? ''))[0]).toBe(404)
    const later = await open(() => ({ poll: true }), { clock, flowTtlMs: 100 })
    nowMs += 100
    expect(await later.party.discharger.settle(later.flow, { caveats: [] })).toBe(false)
  })

  test('is one of a bounded number, and never dropped for a newer one', async () => {
    let nowMs = 0
    const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
    const store = new MemoryFlowStore(2)
    const party = await thirdParty(() => ({ poll: true }), { clock, store, flowTtlMs: 100 })
    const ticket = ticketOf(needing([party]))
    const ask = async (): Promise<number> => (await post(party, ticket))[0]
    expect([await ask(), await ask(), await ask()]).toEqual([202, 202, 503])
    nowMs = 100
    expect([await ask(), store.size]).toEqual([202, 1])
  })

  test('leaves no secret in the store', async () => {
    const kept: string[] = []
    class Watched extends MemoryFlowStore {
      override add(...args: Parameters<MemoryFlowStore['add']>): Promise<boolean> {
        kept.push(JSON.stringify(args))
        return super.add(...args)
      }
    }
    const { body, flow } = await open(() => ({ poll: true }), { store: new Watched() })
    const secret = (body.poll_url ?? '').split('/').at(-1) ?? ''
    expect(secret).toHaveLength(43)
    expect(kept.join('')).not.toContain(secret)
    expect(kept.join('')).not.toContain(flow)
  })
})
