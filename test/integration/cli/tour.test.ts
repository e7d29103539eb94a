/** `macaroond tour`, which is `npm start` and the first thing anybody runs. */
import { describe, expect, it } from 'vitest'
import { macaroond } from './command.ts'

interface Tour {
  readonly ok: boolean
  readonly steps: readonly {
    readonly step: string
    readonly ok: boolean
    readonly ms: number
    readonly detail: string
  }[]
}

const STEPS = [
  'cluster up',
  'org created',
  'token minted at the primary',
  'verified in fra',
  'verified in sin',
  'attenuated offline',
  'wrong access refused',
  'primary killed, verified on',
  'lease over: unavailable',
  'primary restarted, all answer',
  'token revoked',
  'refused in fra',
  'refused in sin',
  'replica sin killed, caught up',
  'database files byte-identical',
]

describe('the tour', () => {
  it('shows the main job step by step, each with its time, and every step holds', async () => {
    const { status, stdout, stderr, json } = await macaroond(['tour', '--json'])
    expect(stdout, stderr).toContain('"steps"')
    const tour = json<Tour>()
    expect(tour.steps.filter(({ ok }) => !ok)).toEqual([])
    expect(tour.steps.map(({ step }) => step)).toEqual(STEPS)
    for (const { ms } of tour.steps) expect(ms).toBeGreaterThan(0)
    expect({ status, ok: tour.ok }, stderr).toEqual({ status: 0, ok: true })
    const detail = (step: string): string => tour.steps.find((candidate) => candidate.step === step)?.detail ?? ''
    expect(detail('verified in sin')).toMatch(/by 12D3Koo\w+, pid \d+, at txid \d+ of its own file/)
    expect(detail('wrong access refused')).toContain('"op = read"')
    expect(detail('primary killed, verified on')).toMatch(/SIGKILL to pid \d+; then 200 of 200 accepted/)
    expect(detail('lease over: unavailable')).toMatch(/^\d+ more accepted; then fra and sin say "unavailable"/)
    expect(detail('primary restarted, all answer')).toMatch(/fra and sin accept again$/)
    expect(stderr).toMatch(/^making a cluster on this machine/)
    expect(stderr).toMatch(/\nwhat to try next:\n(.*\n)+.*docs\/concepts\.md/)
  })
})
