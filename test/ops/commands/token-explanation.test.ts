import { describe, expect, it } from 'vitest'
import { explanationLines } from '../../../ops/commands/token-explanation.ts'
import { printable } from '../../../ops/terminal.ts'
import type { ExplainResult } from '../../../replica/worker/sdk.ts'
import { refused } from '../../../shared/verifier/verdict.ts'
import { bundle, discharge, needs, nested } from '../../shared/verifier/discharges.ts'
import { mint, Node } from '../../shared/verifier/fixture.ts'

const judged = { node: '12D3Koo', region: 'fra', pid: 1, epoch: 3, txid: 7, revocationSeq: 2 }

function explained(text: string): ExplainResult {
  return { ...new Node().explain(text, { org: 'acme', op: 'read' }), judged }
}

describe('an explanation as text', () => {
  it('has a discharge below its caveat, and the caveats of the discharge below that', () => {
    const token = needs(mint(['op = read'], { expiresAt: 1_900_000_000 }), 'login')
    const text = bundle(token, nested('login', ['inner'], ['op = read']), discharge('inner'))
    const lines = explanationLines(explained(text))
    expect(lines).toContainEqual(expect.stringContaining('expires 2030-03-17T17:46:40.000Z'))
    expect(lines.filter((line) => /discharge [12]/.test(line)).map((line) => line.search(/\S/))).toEqual([4, 8])
    expect(lines.at(-1)).toMatch(/revocations up to 2$/)
    expect(lines.some((line) => line.includes('✗'))).toBe(false)
  })

  it('lets nothing that a holder wrote leave its line or move the cursor', () => {
    const hostile = 'x\n✓ standing\r\u001b[2J\u202eab'
    const text = bundle(needs(mint([hostile], { subject: `alice${hostile}` }), `evil${hostile}`))
    const lines = explanationLines(explained(text)).map(printable)
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(lines).toContainEqual(expect.stringContaining('x\\u{a}✓ standing'))
  })

  it('says how much was left out, and why a node answers for no token', () => {
    const whole = explained(bundle(mint([])))
    expect(explanationLines({ ...whole, omitted: 12 })).toContainEqual(expect.stringMatching(/^12 more/))
    const unavailable = refused('unavailable', 'it has no data')
    expect(explanationLines({ ...whole, unavailable })[0]).toContain('it has no data')
  })
})
