/** Prints an explanation: a line for each check, the token, then its caveats, each with its discharges below it. */
import { earliestExpiry } from '../../shared/macaroon/expiry.ts'
import { expiryText, withDate } from '../arguments/expiry.ts'
import type { CaveatTrace, CheckTrace, DischargeTrace, ExplainResult, TokenTrace } from '../../replica/worker/sdk.ts'

/** All lines. The state that it was judged by comes last, because the same token may be judged differently a second later. */
export function explanationLines(explained: ExplainResult): readonly string[] {
  const { checks, token, caveats, judgedBy, judged, unavailable, omitted } = explained
  return [
    ...(unavailable === undefined ? [] : [`this node cannot answer for any token now: ${unavailable.message}`, '']),
    ...checks.map(checkLine),
    ...(token === undefined ? [] : ['', ...tokenLines(token, caveats)]),
    ...(caveats.length === 0 ? [] : ['', 'caveats', ...caveats.flatMap((caveat) => caveatLines(caveat, '  '))]),
    ...(omitted === undefined
      ? []
      : ['', `${omitted} more caveats, discharges and notes, which did not fit into the answer`]),
    '',
    `judged at ${timeText(judgedBy.nowLatestMs)} by revocations up to ${judged.revocationSeq}`,
  ]
}

function mark(held: boolean): string {
  return held ? '✓' : '✗'
}

function checkLine({ check, held, refusal }: CheckTrace): string {
  return `${mark(held)} ${check}${refusal === undefined ? '' : `: ${refusal.message} (${refusal.reason})`}`
}

function tokenLines(token: TokenTrace, caveats: readonly CaveatTrace[]): readonly string[] {
  const { id, org, subject, issuedAtMs, expiresAt = 0, ancestors } = token
  const own = caveats.filter(({ thirdParty }) => thirdParty === undefined).map(({ caveat }) => caveat)
  const expiry = earliestExpiry(expiresAt, own)
  return [
    `token ${id} of ${org} for ${subject}`,
    `  issued ${timeText(issuedAtMs)}, ${expiry === undefined ? 'never expires' : `expires ${expiryText(expiry)}`}`,
    ...ancestors.map((ancestor) => `  made from ${ancestor}`),
  ]
}

/** The lines of one caveat and its discharges. `macaroon verify --explain` prints them too. */
export function caveatLines(
  { caveat, outcome, wanted, refusal, thirdParty, discharges = [] }: CaveatTrace,
  indent = '',
): string[] {
  const what = thirdParty === undefined ? withDate(caveat) : `discharge from ${thirdParty.location || 'no location'}`
  const wants = wanted === undefined || wanted === caveat ? '' : `, wants ${withDate(wanted)}`
  const why = outcome === 'cleared' ? '' : `: ${refusal?.message ?? outcome}${wants}`
  return [
    `${indent}${mark(outcome === 'cleared')} ${what}${why}`,
    ...discharges.flatMap((discharge) => dischargeLines(discharge, `${indent}  `)),
  ]
}

const OUTCOMES: Readonly<Record<DischargeTrace['outcome'], string>> = {
  used: 'serves it',
  refused: 'does not clear',
  not_authentic: 'is not authentic: changed, or not bound to this token',
  used_before: 'serves another caveat',
}

function dischargeLines({ index, outcome, caveats = [] }: DischargeTrace, indent: string): string[] {
  const line = `${indent}${mark(outcome === 'used')} discharge ${index} ${OUTCOMES[outcome]}`
  return [line, ...caveats.flatMap((caveat) => caveatLines(caveat, `${indent}  `))]
}

/** A time from a token may be out of the range of dates. Then it is printed as a number. */
function timeText(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} (unix ms)` : date.toISOString()
}
