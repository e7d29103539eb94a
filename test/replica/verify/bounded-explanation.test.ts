import { describe, expect, test } from 'vitest'
import { decodeJsonObject } from '../../../shared/channel/json.ts'
import { encodeResult } from '../../../shared/channel/rpc.ts'
import { CAVEAT_BYTES_MAX, CONTROL_MESSAGE_BYTES_MAX, DISCHARGE_DEPTH_MAX } from '../../../shared/limits.ts'
import { boundExplanation } from '../../../replica/verify/bounded-explanation.ts'
import type { CaveatTrace, DischargeTrace, Explanation } from '../../../shared/verifier/trace.ts'
import { bundle, discharge, needs, nested } from '../../shared/verifier/discharges.ts'
import { mint, Node } from '../../shared/verifier/fixture.ts'

const CONTROLS = '\u0001'.repeat(CAVEAT_BYTES_MAX - 1)

function told(traces: readonly (CaveatTrace | DischargeTrace)[]): number {
  return traces.reduce((sum, trace) => {
    const behind = 'index' in trace ? trace.caveats : trace.discharges
    return sum + 1 + told(behind ?? [])
  }, 0)
}

/** As it goes out on a channel, and as the other side reads it. */
function sent(explanation: Explanation): number {
  const message = encodeResult(1, explanation)
  expect(decodeJsonObject(message)).toMatchObject({ id: 1 })
  return message.byteLength
}

/** A chain of discharges as deep as is verified. */
function chain(): string {
  const links = Array.from({ length: DISCHARGE_DEPTH_MAX }, (_, i) =>
    i + 1 < DISCHARGE_DEPTH_MAX ? nested(`n${i}`, [`n${i + 1}`]) : discharge(`n${i}`),
  )
  return bundle(needs(mint(['note = n']), 'n0'), ...links)
}

describe('an explanation on its way out', () => {
  test('is sent whole if it fits', () => {
    const token = needs(mint(['op in read,list', 'note = n']), 'login')
    const whole = new Node().explain(bundle(token, discharge('login', ['op = read'])), { org: 'acme', op: 'read' })
    expect(boundExplanation(whole)).toEqual(whole)
  })

  test('lists every caveat of the token before further reasons, and counts the rest', () => {
    const long = Array.from({ length: 3 }, (_, i) => `${'x'.repeat(CAVEAT_BYTES_MAX - 2)}${i}`)
    const discharges = Array.from({ length: 5 }, () => discharge('login', long))
    const whole = new Node().explain(bundle(needs(mint(['op = read']), 'login', 'store'), ...discharges))
    const stretched = { ...whole, caveats: whole.caveats.map(repeated) }
    const bounded = boundExplanation(stretched)
    expect(bounded.caveats.map(({ outcome }) => outcome)).toEqual(whole.caveats.map(({ outcome }) => outcome))
    expect(bounded.omitted).toBeGreaterThan(0)
    expect(told(bounded.caveats) + (bounded.omitted ?? 0)).toBe(told(stretched.caveats))
  })

  test('cuts a text that is too long, and says so with an ellipsis', () => {
    const { caveats } = boundExplanation(new Node().explain(bundle(mint([CONTROLS]))))
    expect(caveats[0]?.caveat).toMatch(/…$/)
    expect(caveats[0]?.caveat.length).toBeLessThan(CAVEAT_BYTES_MAX)
  })

  test('fits into a message, whatever a holder wrote', () => {
    const caveat: CaveatTrace = {
      caveat: CONTROLS,
      wanted: CONTROLS,
      outcome: 'refused',
      refusal: { ok: false, reason: 'caveat_unknown', message: 'm', caveat: CONTROLS, wanted: '字'.repeat(4096) },
    }
    const notes = Array.from({ length: 1_000 }, () => '字'.repeat(1_300))
    const verdict = { ...accepted(), notes }
    const worst = { ...explained(), verdict, caveats: Array.from({ length: 1_000 }, () => caveat) }
    const wide = { ...worst, caveats: worst.caveats.map((one) => ({ ...one, caveat: '字'.repeat(1_300) })) }
    for (const one of [worst, wide]) {
      const bounded = boundExplanation(one)
      expect(sent(bounded)).toBeLessThan(CONTROL_MESSAGE_BYTES_MAX)
      expect(bounded.omitted).toBeGreaterThan(1_000)
    }
  })

  test('nests no deeper than a message may, and counts what stands deeper', () => {
    const whole = new Node().explain(chain())
    expect(whole.verdict.ok).toBe(true)
    expect(() => sent(whole)).toThrow('nested too deep')
    const bounded = boundExplanation(whole)
    sent(bounded)
    expect(told(bounded.caveats) + (bounded.omitted ?? 0)).toBe(told(whole.caveats))
  })
})

function explained(): Explanation {
  return new Node().explain(bundle(mint([])))
}

function accepted(): Extract<Explanation['verdict'], { ok: true }> {
  const { verdict } = explained()
  if (!verdict.ok) throw new Error('a token without caveats was refused')
  return verdict
}

/** With every discharge a hundred times over, as a bundle with more of them would be told. */
function repeated(caveat: CaveatTrace): CaveatTrace {
  const { discharges } = caveat
  return discharges === undefined
    ? caveat
    : { ...caveat, discharges: Array.from({ length: 100 }, () => discharges).flat() }
}
