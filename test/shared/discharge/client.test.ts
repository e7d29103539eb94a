import { describe, expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import { createDischargeClient, type DischargeClientOptions } from '../../../shared/discharge/client.ts'
import { encodeBase64Url } from '../../../shared/macaroon/base64url.ts'
import { decodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeTokenText } from '../../../shared/macaroon/text.ts'
import { createDischarge, requireDischarge } from '../../../shared/macaroon/third-party.ts'
import { openTicket } from '../../../shared/macaroon/ticket.ts'
import { listen, needing, outcomeOf, text, thirdParty } from './fixture.ts'

const quick: DischargeClientOptions = { wait: () => Promise.resolve() }
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    (error: { code?: string; name?: string }) => error.code ?? error.name ?? 'unknown',
  )

describe('a discharge client', () => {
  test('gets every discharge that a token needs, nested ones too, and binds them', async () => {
    const inner = await thirdParty(() => ({ caveats: ['note = inner'] }))
    const nested = await listen(async (request) => {
      const { ticket } = (await request.json()) as { ticket: string }
      const bytes = new Uint8Array(Buffer.from(ticket, 'base64url'))
      const { caveatKey } = openTicket(bytes, [{ sharedKey }])
      const made = createDischarge({ ticket: bytes, caveatKey })
      const recipient = { sharedKey: inner.sharedKey }
      const more = requireDischarge(made, { location: inner.origin, condition: 'more', recipient }, systemEntropy)
      return Response.json({ discharge: encodeTokenText(more) })
    })
    const sharedKey = new Uint8Array(32).fill(77)
    const parties = [inner, { ...nested, sharedKey }, inner]
    const client = createDischargeClient({ ...quick, hosts: [inner.host, nested.host] })
    const bundle = await client.discharge(text(needing(parties)))
    expect(decodeBundle(bundle)).toHaveLength(5)
    expect(outcomeOf(bundle)).toBe('ok')
    expect(inner.seen).toHaveLength(3)
  })

  test('asks first whom it was given to ask, and HTTP for what is not known there', async () => {
    const overHttp = await thirdParty(() => ({ caveats: [] }))
    const elsewhere = { origin: 'macaroond://test/store', sharedKey: new Uint8Array(32).fill(78) }
    const asked: string[] = []
    const client = createDischargeClient({
      ...quick,
      hosts: [overHttp.host],
      ask: async ({ location, ticket }) => {
        asked.push(location)
        if (location !== elsewhere.origin) return undefined
        const bytes = new Uint8Array(Buffer.from(ticket, 'base64url'))
        return encodeTokenText(createDischarge({ ticket: bytes, ...openTicket(bytes, [elsewhere]) }))
      },
    })
    const bundle = await client.discharge(text(needing([overHttp, elsewhere])))
    expect(outcomeOf(bundle)).toBe('ok')
    expect(asked.toSorted()).toEqual([overHttp.origin, elsewhere.origin])
    expect(overHttp.seen).toHaveLength(1)
  })

  test('takes nothing from there that is not for the ticket', async () => {
    const elsewhere = { origin: 'macaroond://test/store', sharedKey: new Uint8Array(32).fill(78) }
    const other = encodeTokenText(createDischarge({ ticket: 'another', caveatKey: elsewhere.sharedKey }))
    const client = createDischargeClient({ ...quick, ask: async () => other })
    expect(await code(client.discharge(text(needing([elsewhere]))))).toBe('discharge_invalid')
  })

  test('asks all third parties at once', async () => {
    let waiting = 0
    let release = (): void => {}
    const all = new Promise<void>((resolve) => (release = resolve))
    const check = async (): Promise<{ caveats: string[] }> => {
      waiting += 1
      if (waiting === 3) release()
      await all
      return { caveats: [] }
    }
    const parties = [await thirdParty(check), await thirdParty(check), await thirdParty(check)]
    const client = createDischargeClient({ ...quick, hosts: parties.map(({ host }) => host) })
    expect(outcomeOf(await client.discharge(text(needing(parties))))).toBe('ok')
  })

  test('tells each host its own credential, and no other host any', async () => {
    const check = (): { caveats: string[] } => ({ caveats: [] })
    const [a, b, c] = [await thirdParty(check), await thirdParty(check), await thirdParty(check)]
    const client = createDischargeClient({
      ...quick,
      credentials: { [a.host]: 'Bearer a', [b.host]: 'Bearer b' },
      hosts: [c.host],
    })
    await client.discharge(text(needing([a, b, c])))
    expect([a, b, c].map(({ seen }) => seen.map(({ authorization }) => authorization))).toEqual([
      ['Bearer a'],
      ['Bearer b'],
      [undefined],
    ])
  })

  test('asks nobody whom its owner did not name, whatever a token says', async () => {
    const party = await thirdParty(() => ({ caveats: [] }))
    const client = createDischargeClient({ ...quick, credentials: { 'login.example': 'Bearer secret' } })
    const locations = [
      party.origin,
      'http://login.example',
      'https://login.example:8443',
      'https://x@login.example',
      'file:///etc',
      '',
    ]
    for (const origin of locations) {
      const token = needing([{ origin, sharedKey: party.sharedKey }])
      expect(await code(client.discharge(text(token)))).toBe('third_party_unknown')
    }
    expect(party.seen).toEqual([])
  })

  test('polls with growing pauses up to a cap, never sooner than asked to, until it has an answer', async () => {
    const waits: number[] = []
    let polls = 0
    let flow = ''
    const party = await thirdParty((_, __, name) => {
      flow = name
      return { poll: true }
    })
    const wait = async (ms: number): Promise<void> => {
      waits.push(ms)
      polls += 1
      if (polls === 7) await party.discharger.settle(flow, { caveats: [] })
    }
    const client = createDischargeClient({ wait, hosts: [party.host] })
    expect(outcomeOf(await client.discharge(text(needing([party]))))).toBe('ok')
    expect(waits).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
  })

  test('shows a person where to go, then polls', async () => {
    const visits: unknown[] = []
    const party = await thirdParty((_, __, flow) => ({ userUrl: `https://login.example/?flow=${flow}` }))
    const client = createDischargeClient({
      ...quick,
      hosts: [party.host],
      onUserVisit: async (visit) => {
        visits.push({ ...visit, url: visit.url.split('=')[0] })
        await party.discharger.settle(new URL(visit.url).searchParams.get('flow') ?? '', { caveats: [] })
      },
    })
    expect(outcomeOf(await client.discharge(text(needing([party]))))).toBe('ok')
    expect(visits).toEqual([{ url: 'https://login.example/?flow', host: party.host }])
    const alone = createDischargeClient({ ...quick, hosts: [party.host] })
    expect(await code(alone.discharge(text(needing([party]))))).toBe('discharge_unavailable')
  })

  test('keeps discharges that came along as long as their time lasts, and gets others anew', async () => {
    let validUntil = 2_000
    const party = await thirdParty(() => ({ caveats: [`time < ${validUntil}`] }))
    let nowMs = 1_000_000
    const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
    const client = createDischargeClient({ ...quick, hosts: [party.host], clock })
    const first = await client.discharge(text(needing([party])))
    expect(await client.discharge(first)).toBe(first)
    expect(party.seen).toHaveLength(1)
    nowMs = 2_000_000
    validUntil = 3_000
    const second = await client.discharge(first)
    expect([party.seen.length, outcomeOf(first, nowMs), outcomeOf(second, nowMs)]).toEqual([2, 'caveat_refused', 'ok'])
  })

  test('reports a refusal with the words of the third party, none of which steers a terminal', async () => {
    const party = await thirdParty(() => ({ refused: 'no \u001b[31mentry' }))
    const client = createDischargeClient({ ...quick, hosts: [party.host] })
    const failure = client.discharge(text(needing([party])))
    await expect(failure).rejects.toMatchObject({
      code: 'discharge_refused',
      message: expect.stringContaining('no ?[31mentry'),
    })
  })

  test('does not wait for the others when one fails', async () => {
    const stuck = await thirdParty(() => new Promise(() => {}))
    const party = await thirdParty(() => ({ refused: 'no' }))
    const client = createDischargeClient({ ...quick, hosts: [stuck.host, party.host] })
    expect(await code(client.discharge(text(needing([stuck, party]))))).toBe('discharge_refused')
  })

  test('gives up after a time per request and in total, and when it is aborted', async () => {
    const stuck = await thirdParty(() => new Promise(() => {}))
    const pending = await thirdParty(() => ({ poll: true }))
    const hosts = [stuck.host, pending.host]
    const slow = createDischargeClient({ hosts, requestTimeoutMs: 50 })
    expect(await code(slow.discharge(text(needing([stuck]))))).toBe('discharge_unavailable')
    const short = createDischargeClient({ hosts, timeoutMs: 50 })
    expect(await code(short.discharge(text(needing([pending]))))).toBe('timeout')
    const signal = AbortSignal.abort(new Error('stopped'))
    const stopped = createDischargeClient({ hosts }).discharge(text(needing([stuck])), { signal })
    await expect(stopped).rejects.toThrow('stopped')
  })
})

describe('a third party that misbehaves', () => {
  const sharedKey = new Uint8Array(32).fill(5)
  const against = async (
    handle: (request: Request, origin: string) => Promise<Response> | Response,
  ): Promise<string> => {
    const server = await listen(async (request) => handle(request, server.origin))
    const client = createDischargeClient({
      ...quick,
      credentials: { [server.host]: 'Bearer secret' },
      timeoutMs: 5_000,
    })
    return code(client.discharge(text(needing([{ ...server, sharedKey }]))))
  }
  const answering = (body: object, init?: ResponseInit) => (): Response => Response.json(body, init)

  test('cannot send the client elsewhere, by a redirect or a poll', async () => {
    const elsewhere = await listen(async () => Response.json({ discharge: 'x' }))
    for (const status of [301, 302, 303, 307, 308]) {
      const headers = { location: `${elsewhere.origin}/.well-known/macaroond/3p` }
      expect(await against(() => new Response(null, { status, headers }))).toBe('discharge_invalid')
      const answer = async (request: Request): Promise<Response> => {
        const { ticket } = (await request.json()) as { ticket: string }
        const made = createDischarge({ ticket: new Uint8Array(Buffer.from(ticket, 'base64url')), caveatKey: sharedKey })
        return Response.json({ discharge: encodeTokenText(made) }, { status, headers })
      }
      expect(await against(answer)).toBe('discharge_invalid')
    }
    const places = (origin: string): string[] => [
      `${elsewhere.origin}/.well-known/macaroond/3p/poll/x`,
      `${origin}/admin`,
      `${origin}/.well-known/macaroond/3p/../../../admin`,
      `${origin}/.well-known/macaroond/3px`,
      origin.replace('http:', 'https:') + '/.well-known/macaroond/3p/poll/x',
      origin.replace('//', '//user:x@') + '/.well-known/macaroond/3p/poll/x',
      'file:///etc/passwd',
      '/.well-known/macaroond/3p/poll/x',
      '',
    ]
    for (const [i] of places('http://a').entries()) {
      expect(await against((_, origin) => Response.json({ poll_url: places(origin)[i] }))).toBe('discharge_invalid')
    }
    expect(elsewhere.seen).toEqual([])
  })

  test('cannot send a person to a place that is no web page', async () => {
    for (const user_url of ['javascript:alert(1)', 'file:///etc/passwd', 'http://login.example', 'https://u:p@a', '']) {
      const answer = answering({ user_interactive: { user_url, poll_url: 'x' } })
      expect(await against(answer)).toBe('discharge_invalid')
    }
  })

  test.each([
    ['two answers in one', answering({ discharge: 'x', poll_url: 'y' }), 'discharge_invalid'],
    ['no answer', answering({}), 'discharge_invalid'],
    ['no JSON', () => new Response('hello'), 'discharge_invalid'],
    ['no text', () => new Response(Buffer.from([0xff, 0xfe])), 'discharge_invalid'],
    ['too much', () => new Response('x'.repeat(1_000_000)), 'discharge_invalid'],
    ['a token that is cut off', answering({ discharge: 'mcn1_AgE' }), 'token_truncated'],
    ['an error of its own', () => new Response('oops', { status: 500 }), 'discharge_unavailable'],
    ['a refusal without words', () => new Response('no', { status: 403 }), 'discharge_refused'],
  ])('with %s is reported as such', async (_, handle, expected) => {
    expect(await against(handle)).toBe(expected)
  })

  test('cannot hand out a discharge for another ticket', async () => {
    const discharge = encodeTokenText(createDischarge({ ticket: 'other', caveatKey: sharedKey }))
    expect(await against(answering({ discharge }))).toBe('discharge_invalid')
  })

  test('cannot ask for one discharge after the other without end, nor for too many at once', async () => {
    const endless = (copies: number) => async (request: Request, origin: string) => {
      const { ticket } = (await request.json()) as { ticket: string }
      const bytes = new Uint8Array(Buffer.from(ticket, 'base64url'))
      const made = createDischarge({ ticket: bytes, caveatKey: openTicket(bytes, [{ sharedKey }]).caveatKey })
      const again = Array.from({ length: copies }).reduce<Macaroon>(
        (macaroon) =>
          requireDischarge(macaroon, { location: origin, condition: 'more', recipient: { sharedKey } }, systemEntropy),
        attenuate(made, []),
      )
      return Response.json({ discharge: encodeTokenText(again) })
    }
    let asked = 0
    const counted = (copies: number) => (request: Request, origin: string) => {
      asked += 1
      return endless(copies)(request, origin)
    }
    expect(await against(counted(1))).toBe('token_too_large')
    expect(asked).toBe(8)
    asked = 0
    expect(await against(counted(10))).toBe('token_too_large')
    expect(asked).toBe(11)
  })

  test('gets the ticket as it stands in the caveat, and nothing else of the token', async () => {
    let body = ''
    await against(async (request) => {
      body = await request.text()
      return new Response('{}', { status: 403 })
    })
    const { ticket, ...rest } = JSON.parse(body) as { ticket: string }
    expect(rest).toEqual({})
    const bytes = new Uint8Array(Buffer.from(ticket, 'base64url'))
    expect(encodeBase64Url(bytes)).toBe(ticket)
    expect(openTicket(bytes, [{ sharedKey }]).condition).toBe('login')
  })
})
