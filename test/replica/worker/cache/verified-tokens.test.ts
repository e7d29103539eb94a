import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { tokenId } from '../../../../shared/ids.ts'
import { bindDischarges } from '../../../../shared/macaroon/bind.ts'
import { encodeText, encodeTokenText } from '../../../../shared/macaroon/text.ts'
import { attenuate } from '../../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../../shared/macaroon/macaroon.ts'
import { bundle, discharge, needs, nested } from '../../../shared/verifier/discharges.ts'
import { ACME, freshNonce, mint, NOW_MS, OTHER } from '../../../shared/verifier/fixture.ts'
import { CachedNode } from './fixture.ts'

const text = encodeTokenText

describe('a token that a replica accepted', () => {
  test('is answered from the cache, with the same verdict', () => {
    const cached = new CachedNode()
    const token = text(mint(['op in read,write', 'note = for the build', 'time < 2100-01-01T00:00:00Z']))
    expect(cached.hit(token, { op: 'read' })).toBeUndefined()
    const verdict = cached.ask(token, { op: 'read' })
    expect(verdict).toMatchObject({ ok: true, notes: ['for the build'] })
    expect(cached.hit(token, { op: 'read' })).toEqual({ kind: 'exact', verdict })
  })

  test('is judged anew for every access: nothing of clearing is kept', () => {
    const cached = new CachedNode()
    const token = text(mint(['op = read', 'peer? = laptop', 'region = fra']))
    cached.ask(token, { op: 'read' })
    for (const access of [
      { op: 'write' },
      {},
      { op: ['read', 'write'] },
      { org: 'other', op: 'read' },
      { time: 'x' },
    ]) {
      const hit = cached.hit(token, access)
      expect(hit?.verdict).toMatchObject({ ok: false })
      expect(hit?.verdict).toEqual(cached.fresh(token, access))
    }
    for (const context of [{ region: 'sin' }, { peer: 'phone' }, { peer: 'laptop' }]) {
      expect(cached.hit(token, { op: 'read' }, context)?.verdict).toEqual(cached.fresh(token, { op: 'read' }, context))
    }
  })

  test('is compared with as many values as at a replica, and no more', () => {
    const cached = new CachedNode()
    const names = ['a', 'b']
    const caveats = Array.from({ length: 99 }, () => 'path prefix /a/')
    const token = bundle(needs(mint([]), ...names), ...names.map((name) => discharge(name, caveats)))
    const paths = Array.from({ length: 256 }, (_, i) => `/a/${i}`)
    expect(cached.ask(token, { path: '/a/b' })).toMatchObject({ ok: true })
    expect(cached.hit(token, { path: paths.slice(0, 100) })?.verdict).toMatchObject({ ok: true })
    // Only a replica may refuse by a discharge, so the worker asks it.
    expect(cached.hit(token, { path: paths })).toBeUndefined()
    expect(cached.fresh(token, { path: paths })).toMatchObject({ reason: 'work_exceeded' })
  })

  test('expires in the cache as everywhere: by its expiry, and by the time caveats of its holders', () => {
    const cached = new CachedNode()
    const seconds = NOW_MS / 1000
    const minted = text(mint([], { expiresAt: seconds + 10 }))
    const narrowed = text(mint([`time < ${seconds + 10}`, `time >= ${seconds}`]))
    for (const token of [minted, narrowed]) {
      expect(cached.ask(token)).toMatchObject({ ok: true })
      const late = { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS + 10_000 }
      expect(cached.hit(token, {}, late)?.verdict).toMatchObject({ ok: false })
      expect(cached.hit(token, {}, late)?.verdict).toEqual(cached.fresh(token, {}, late))
    }
    const early = { nowEarliestMs: NOW_MS - 1 }
    expect(cached.hit(narrowed, {}, early)?.verdict).toMatchObject({ ok: false })
    // Nobody knows the time: a replica is asked, and says so itself.
    expect(cached.hit(minted, {}, { nowLatestMs: Number.NaN })).toBeUndefined()
  })

  test('is a miss in any other spelling, until its chain is found to be the same', () => {
    const cached = new CachedNode()
    const macaroon = mint(['op = read'])
    cached.ask(text(macaroon), { op: 'read' })
    const spelled = encodeText(macaroon, 'v2')
    expect(cached.hit(spelled, { op: 'read' })?.kind).toBe('prefix')
    expect(cached.hit(spelled, { op: 'read' })?.kind).toBe('exact')
    expect(cached.hit(`${text(macaroon)} `, { op: 'read' })).toBeUndefined()
  })

  test('is asked about again when a caveat wants a fresher state than the worker has', () => {
    const cached = new CachedNode()
    const token = text(mint(['staleness <= 500ms']))
    cached.ask(token)
    expect(cached.hit(token, {}, { stalenessMs: 500 })?.verdict).toMatchObject({ ok: true })
    expect(cached.hit(token, {}, { stalenessMs: 501 })).toBeUndefined()
  })

  test('is not kept when it names a token whose standing only a replica knows', () => {
    const cached = new CachedNode()
    const named = tokenId(ACME, freshNonce())
    const token = text(mint([`unrevoked = ${named}`]))
    expect(cached.ask(token)).toMatchObject({ ok: true })
    expect(cached.tokens.size).toBe(0)
    const parent = mint([])
    cached.ask(text(parent))
    expect(cached.hit(text(attenuate(parent, [`unrevoked = ${named}`])))).toBeUndefined()
  })
})

describe('a token attenuated from one that was accepted', () => {
  test('is accepted without a replica, judged by all of its caveats, and an exact hit from then on', () => {
    const cached = new CachedNode()
    const parent = mint(['op in read,write'])
    cached.ask(text(parent), { op: 'read' })
    const child = text(attenuate(parent, ['op = read', 'note = to the printer']))
    const verdict = cached.fresh(child, { op: 'read' })
    expect(cached.hit(child, { op: 'read' })).toEqual({ kind: 'prefix', verdict })
    expect(cached.hit(child, { op: 'read' })).toEqual({ kind: 'exact', verdict })
    expect(cached.hit(child, { op: 'write' })?.verdict).toMatchObject({ ok: false, caveat: 'op = read' })
  })

  test('that refuses is refused from the cache, and takes no room', () => {
    const cached = new CachedNode()
    const parent = mint([])
    cached.ask(text(parent))
    const child = text(attenuate(parent, ['op = read']))
    expect(cached.hit(child, { op: 'write' })).toEqual({
      kind: 'prefix',
      verdict: cached.fresh(child, { op: 'write' }),
    })
    expect(cached.tokens.size).toBe(1)
  })

  test('is a miss when its signature is not where the chain leads', () => {
    const cached = new CachedNode()
    const parent = mint([])
    cached.ask(text(parent))
    const child = attenuate(parent, ['op = read'])
    const forged: Macaroon = { ...child, signature: child.signature.with(0, (child.signature[0] ?? 0) ^ 1) }
    expect(cached.hit(text(forged), { op: 'read' })).toBeUndefined()
    // Caveats taken away, exchanged, or of another token.
    for (const caveats of [[], attenuate(parent, ['op = write']).caveats]) {
      expect(cached.hit(text({ ...child, caveats }), { op: 'write' })).toBeUndefined()
    }
    const other = mint([])
    expect(cached.hit(text({ ...child, identifier: other.identifier }), { op: 'read' })).toBeUndefined()
  })

  test('is a miss when it drops a caveat of the one that is known', () => {
    const cached = new CachedNode()
    const parent = mint([])
    const narrow = attenuate(parent, ['op = read'])
    cached.ask(text(narrow), { op: 'read' })
    expect(cached.hit(text(parent), { op: 'write' })).toBeUndefined()
    expect(cached.hit(text(attenuate(parent, ['op = write'])), { op: 'write' })).toBeUndefined()
  })

  test('never clears a third-party caveat, neither one that it adds nor one of its parent', () => {
    const cached = new CachedNode()
    const parent = mint([])
    cached.ask(text(parent))
    const child = needs(parent, 'login')
    expect(cached.hit(text(child))).toBeUndefined()
    expect(cached.hit(bundle(child, discharge('login')))).toBeUndefined()
    const protectedParent = needs(mint([]), 'login')
    cached.ask(bundle(protectedParent, discharge('login')))
    const narrowed = attenuate(protectedParent, ['op = read'])
    expect(cached.hit(text(narrowed), { op: 'read' })).toBeUndefined()
    const unbound = bindDischarges(protectedParent, [discharge('login')]).slice(1)
    expect(cached.hit([text(narrowed), ...unbound.map((it) => text(it))].join('~'), { op: 'read' })).toBeUndefined()
    expect(cached.hit(bundle(narrowed, discharge('login')), { op: 'read' })).toBeUndefined()
  })

  test('is still found when its parent was attenuated in a thousand other ways', () => {
    const cached = new CachedNode({ entries: 50, bytes: 1e6 })
    const parent = mint([])
    cached.ask(text(parent))
    for (let count = 0; count < 1000; count += 1) {
      expect(cached.hit(text(attenuate(parent, [`note = ${count}`])))?.kind).toBe('prefix')
    }
    expect(cached.tokens.size).toBe(50)
  })
})

describe('a bundle', () => {
  const parts = [needs(mint(['note = root']), 'login', 'billing'), nested('login', ['device'], ['op = read'])] as const

  test('is a hit as a whole, and its discharges are judged anew', () => {
    const cached = new CachedNode()
    const id = tokenId(OTHER, freshNonce())
    const billing = discharge('billing', [`presented = ${id}`, 'note = billed'])
    const whole = bundle(parts[0], billing, parts[1], discharge('device', ['note = device']))
    const verdict = cached.ask(whole, { op: 'read' })
    expect(verdict).toMatchObject({ ok: true, notes: ['root', 'device', 'billed'], presented: [id] })
    expect(cached.hit(whole, { op: 'read' })).toEqual({ kind: 'exact', verdict })
    // Another discharge might have served: a replica says what became of it.
    expect(cached.hit(whole, { op: 'write' })).toBeUndefined()
  })

  test('is a miss with a part more, less, or other', () => {
    const cached = new CachedNode()
    const whole = bundle(parts[0], discharge('billing'), parts[1], discharge('device'))
    cached.ask(whole, { op: 'read' })
    const [root = '', billing = '', login = '', device = ''] = whole.split('~')
    for (const other of [
      [root, billing, login],
      [root, billing, device, login],
      [root, login, billing, device],
      [root, billing, login, device, device],
      [root],
    ]) {
      expect(cached.hit(other.join('~'), { op: 'read' })).toBeUndefined()
    }
  })

  test('in which a replica may choose between discharges is never kept', () => {
    const cached = new CachedNode()
    const root = needs(mint([]), 'login')
    const choice = bundle(root, discharge('login', ['op = read']), discharge('login', ['op = write']))
    expect(cached.ask(choice, { op: 'write' })).toMatchObject({ ok: true })
    expect(cached.tokens.size).toBe(0)
  })

  test('keeps refusing by the token’s own caveats without a replica', () => {
    const cached = new CachedNode()
    const whole = bundle(needs(mint(['op = read']), 'login'), discharge('login'))
    cached.ask(whole, { op: 'read' })
    expect(cached.hit(whole, { op: 'write' })?.verdict).toEqual(cached.fresh(whole, { op: 'write' }))
  })
})

describe('a revocation', () => {
  test('takes the token away, with what was attenuated or made from it, and nothing else', () => {
    const cached = new CachedNode()
    const [nonce, other] = [freshNonce(), freshNonce()]
    const token = mint([], { nonce })
    const made = text(mint([], { ancestors: [{ kid: ACME, nonce }] }))
    const stays = text(mint([], { nonce: other }))
    const child = text(attenuate(token, ['note = child']))
    for (const each of [text(token), made, stays, child]) cached.ask(each)
    expect(cached.tokens.dropNamed(tokenId(ACME, nonce))).toBe(3)
    for (const gone of [text(token), made, child]) expect(cached.hit(gone)).toBeUndefined()
    expect(cached.hit(stays)?.kind).toBe('exact')
    expect(cached.tokens.dropNamed(tokenId(ACME, nonce))).toBe(0)
  })

  test('that a replica answered before it came here takes away what stands under that name', () => {
    const cached = new CachedNode()
    const parent = mint([])
    cached.ask(text(parent))
    const child = text(attenuate(parent, ['op = read']))
    expect(cached.tokens.forget(child)).toBe(1)
    expect(cached.hit(child, { op: 'read' })).toBeUndefined()
    expect(cached.tokens.forget('nonsense')).toBe(0)
  })
})

describe('the token cache', () => {
  test('stays within its bounds, and what is used stays longest', () => {
    const cached = new CachedNode({ entries: 10, bytes: 1e6 })
    const hot = text(mint([]))
    cached.ask(hot)
    for (let count = 0; count < 100; count += 1) {
      expect(cached.hit(hot)?.kind).toBe('exact')
      cached.ask(text(mint([])))
    }
    expect(cached.tokens.size).toBe(10)
    const small = new CachedNode({ entries: 1000, bytes: 20_000 })
    for (let count = 0; count < 100; count += 1) small.ask(text(mint([`note = ${'x'.repeat(1000)}`])))
    expect(small.tokens.bytes).toBeLessThanOrEqual(20_000)
    expect(small.tokens.size).toBeGreaterThan(1)
    const tiny = new CachedNode({ entries: 10, bytes: 100 })
    tiny.ask(hot)
    expect(tiny.tokens.size).toBe(0)
  })

  test('is gone when everything is dropped', () => {
    const cached = new CachedNode()
    const token = text(mint([]))
    cached.ask(token)
    cached.tokens.dropAll()
    expect([cached.tokens.size, cached.tokens.bytes]).toEqual([0, 0])
    expect(cached.hit(token)).toBeUndefined()
    cached.ask(token)
    expect(cached.hit(token)?.kind).toBe('exact')
  })

  test('does not show its tokens when it is inspected', () => {
    const cached = new CachedNode()
    const token = text(mint(['note = secret remark']))
    cached.ask(token)
    const shown = inspect(cached.tokens, { depth: 20, showHidden: true }) + JSON.stringify(cached.tokens)
    expect(shown).not.toContain('mcn1_')
    expect(shown).not.toContain('secret')
  })

  test('answers nothing for an input that is no token', () => {
    const cached = new CachedNode()
    cached.ask(text(mint([])))
    for (const nonsense of ['', 'x', 'mcn1_', '~'.repeat(100), undefined, 7, {}, '\u{1f510}'.repeat(40)]) {
      expect(cached.hit(nonsense as string)).toBeUndefined()
    }
  })
})
