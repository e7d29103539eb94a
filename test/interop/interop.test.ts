/**
 * Macaroons made here and by libmacaroons, pymacaroons and npm `macaroon`, passed from one to the other: each step of a
 * macaroon's life is done by an implementation drawn at random, and all of them must agree on the outcome. Where two of
 * them share no format, what one wrote is converted here.
 *
 * INTEROP_CASES says how many macaroons (default 2,000).
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { MacaroonFormat } from '../../shared/macaroon/format.ts'
import { decodeTokenText, encodeText, readTokenText } from '../../shared/macaroon/text.ts'
import type { Implementation } from './peers/implementation.ts'
import { npmMacaroon } from './peers/npm.ts'
import { ours } from './peers/ours.ts'
import { pythonImplementation } from './peers/python.ts'

const CASES = Number(process.env['INTEROP_CASES'] ?? 2_000)

const implementations: Implementation[] = []
beforeAll(async () => {
  implementations.push(ours, npmMacaroon)
  implementations.push(await pythonImplementation('libmacaroons'), await pythonImplementation('pymacaroons'))
})
afterAll(() => {
  for (const implementation of implementations) implementation.close()
})

const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
/** In the words of any service: not empty, because libmacaroons drops an empty caveat, and text, because two of them need it. */
const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 30 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
  fc.constantFrom('op = read', 'time < 2030-01-01T00:00:00Z', 'a"b\\c', 'tilde ~', 'space ', '\n'),
)
const bytes = text.map(utf8)
/** In ASCII: in V1 pymacaroons counts the characters of identifiers and locations where it should count their bytes. */
const location = fc.string({ minLength: 1, maxLength: 30 })
const identifier = location.map(utf8)
const key = fc.uint8Array({ minLength: 1, maxLength: 80 })
/** Which implementation does a step, and which of the formats it shares with the next is used. */
const step = fc.record({ who: fc.nat(3), format: fc.nat(2) })

const lives = fc.record({
  key,
  identifier,
  location,
  caveats: fc.array(bytes, { maxLength: 4 }),
  added: fc.array(bytes, { minLength: 1, maxLength: 3 }),
  maker: step,
  attenuator: step,
  wire: fc.nat(2),
})

const dischargedLives = fc.record({
  key,
  identifier,
  location,
  caveats: fc.array(bytes, { maxLength: 2 }),
  caveatKey: key,
  ticket: identifier,
  thirdPartyLocation: location,
  dischargeCaveats: fc.array(bytes, { maxLength: 2 }),
  maker: step,
  attenuator: step,
  discharger: step,
  binder: step,
  wire: fc.nat(2),
})

interface Step {
  readonly who: number
  readonly format: number
}

function by({ who, format }: Step): { readonly who: Implementation; readonly form: MacaroonFormat } {
  const implementation = implementations[who] ?? ours
  return { who: implementation, form: pick(implementation.formats, format) }
}

function pick<T>(list: readonly T[], nth: number): T {
  const item = list[nth % list.length]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}

/** As it stands if `reader` reads its format, converted if not. */
function forReader(macaroon: string, reader: Implementation, nth: number): string {
  const { format, macaroon: decoded } = readTokenText(macaroon)
  return (reader.formats as readonly string[]).includes(format)
    ? macaroon
    : encodeText(decoded, pick(reader.formats, nth))
}

interface Bundle {
  readonly root: string
  readonly discharges: readonly string[]
  readonly key: Uint8Array
  readonly exact: readonly Uint8Array[]
  readonly wire: number
}

/** The verdict of each implementation, by its name. */
async function verdicts({ root, discharges, key: rootKey, exact, wire }: Bundle): Promise<Record<string, boolean>> {
  const asked = implementations.map(async (implementation): Promise<[string, boolean]> => {
    const form = pick(implementation.formats, wire)
    const [macaroon = '', ...others] = [root, ...discharges].map((one) => encodeText(decodeTokenText(one), form))
    return [implementation.name, await implementation.verify({ macaroon, discharges: others, key: rootKey, exact })]
  })
  return Object.fromEntries(await Promise.all(asked))
}

const all = (verdict: boolean): Record<string, boolean> =>
  Object.fromEntries(implementations.map(({ name }) => [name, verdict]))

const flipped = (secret: Uint8Array): Uint8Array => Uint8Array.from(secret, (byte, i) => (i === 0 ? byte ^ 1 : byte))

const without = (list: readonly Uint8Array[], gone: Uint8Array | undefined): readonly Uint8Array[] =>
  list.filter((item) => gone === undefined || !Buffer.from(item).equals(gone))

describe('macaroons of any implementation', () => {
  it('mean the same to all others, also attenuated by one of them', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(lives, async ({ maker, attenuator, added, wire, ...made }) => {
        const { who, form } = by(maker)
        const { who: next, form: nextForm } = by(attenuator)
        const root = await who.create({ ...made, form })
        const narrowed = await next.attenuate({
          macaroon: forReader(root, next, wire),
          caveats: added,
          form: nextForm,
        })
        seen.add(`${who.name} ${form}, ${next.name} ${nextForm}`)
        const exact = [...made.caveats, ...added]
        const bundle = { root: narrowed, discharges: [], key: made.key, exact, wire }
        expect(await verdicts(bundle)).toEqual(all(true))
        expect(await verdicts({ ...bundle, key: flipped(made.key) })).toEqual(all(false))
        expect(await verdicts({ ...bundle, exact: without(exact, added.at(-1)) })).toEqual(all(false))
      }),
      { numRuns: Math.ceil(CASES / 2) },
    )
    // 9 formats of 4 makers, by as many of those who attenuate.
    expect(seen.size).toBeGreaterThan(CASES >= 2_000 ? 70 : 0)
  })

  it('are discharged and bound by any other', async () => {
    await fc.assert(
      fc.asyncProperty(dischargedLives, async (life) => {
        const { key: rootKey, caveatKey, ticket, wire } = life
        const [maker, attenuator, discharger, binder] = [life.maker, life.attenuator, life.discharger, life.binder].map(
          by,
        )
        if (!maker || !attenuator || !discharger || !binder) throw new Error('a step is missing')
        const { caveats } = life
        const made = await maker.who.create({
          key: rootKey,
          identifier: life.identifier,
          location: life.location,
          caveats,
          form: maker.form,
        })
        const root = await attenuator.who.thirdParty({
          macaroon: forReader(made, attenuator.who, wire),
          location: life.thirdPartyLocation,
          key: caveatKey,
          ticket,
          form: attenuator.form,
        })
        const discharge = await discharger.who.create({
          key: caveatKey,
          identifier: ticket,
          location: life.thirdPartyLocation,
          caveats: life.dischargeCaveats,
          form: discharger.form,
        })
        const bound = await binder.who.bind({
          root: forReader(root, binder.who, wire),
          discharge: forReader(discharge, binder.who, wire),
          form: binder.form,
        })
        const exact = [...caveats, ...life.dischargeCaveats]
        const bundle = { root, discharges: [bound], key: rootKey, exact, wire }
        expect(await verdicts(bundle)).toEqual(all(true))
        expect(await verdicts({ ...bundle, discharges: [] })).toEqual(all(false))
        expect(await verdicts({ ...bundle, discharges: [discharge] })).toEqual(all(false))
        expect(await verdicts({ ...bundle, key: flipped(rootKey) })).toEqual(all(false))
      }),
      { numRuns: Math.ceil(CASES / 2) },
    )
  })

  it('may need discharges that need discharges themselves, all bound to the root', async () => {
    const nested = fc.record({
      keys: fc.tuple(key, key, key),
      steps: fc.array(step, { minLength: 5, maxLength: 5 }),
      wire: fc.nat(2),
    })
    await fc.assert(
      fc.asyncProperty(nested, async ({ keys: [rootKey, outerKey, innerKey], steps, wire }) => {
        const [maker, attenuator, discharger, innerAttenuator, binder] = steps.map(by)
        if (!maker || !attenuator || !discharger || !innerAttenuator || !binder) throw new Error('a step is missing')
        const make = (who: typeof maker, secret: Uint8Array, name: string): Promise<string> =>
          who.who.create({ key: secret, identifier: utf8(name), location: name, caveats: [], form: who.form })
        const ask = async (who: typeof maker, text: string, secret: Uint8Array, name: string): Promise<string> =>
          who.who.thirdParty({
            macaroon: forReader(text, who.who, wire),
            location: name,
            key: secret,
            ticket: utf8(name),
            form: who.form,
          })
        const root = await ask(attenuator, await make(maker, rootKey, 'root'), outerKey, 'outer')
        const outer = await ask(innerAttenuator, await make(discharger, outerKey, 'outer'), innerKey, 'inner')
        const inner = await make(maker, innerKey, 'inner')
        const bind = (to: string, discharge: string): Promise<string> =>
          binder.who.bind({
            root: forReader(to, binder.who, wire),
            discharge: forReader(discharge, binder.who, wire),
            form: binder.form,
          })
        const bound = [await bind(root, outer), await bind(root, inner)]
        const bundle = { root, key: rootKey, exact: [], wire }
        expect(await verdicts({ ...bundle, discharges: bound })).toEqual(all(true))
        expect(await verdicts({ ...bundle, discharges: bound.slice(0, 1) })).toEqual(all(false))
        const [first = ''] = bound
        expect(await verdicts({ ...bundle, discharges: [first, await bind(outer, inner)] })).toEqual(all(false))
      }),
      { numRuns: Math.ceil(CASES / 10) },
    )
  })

  it('may consist of any bytes where both sides do: here and in libmacaroons', async () => {
    const anything = fc.uint8Array({ minLength: 1, maxLength: 100 })
    const binary = fc.record({
      key,
      identifier: anything,
      location: text,
      caveats: fc.array(anything, { maxLength: 5 }),
    })
    await fc.assert(
      fc.asyncProperty(binary, async (made) => {
        const theirs = implementations.find(({ name }) => name === 'libmacaroons') ?? ours
        const macaroon = await theirs.create({ ...made, form: 'v1' })
        expect(await ours.create({ ...made, form: 'v1' })).toBe(macaroon)
        for (const one of [ours, theirs]) {
          const request = { macaroon, discharges: [], key: made.key, exact: made.caveats }
          expect(await one.verify(request)).toBe(true)
          expect(await one.verify({ ...request, key: flipped(made.key) })).toBe(false)
        }
      }),
      { numRuns: Math.ceil(CASES / 10) },
    )
  })
})
