/**
 * The options and the output that all revoking commands share: `revoke`, `org retire-key` and `org disable`. The options say
 * how long to wait, the reason, and a request id for retries.
 */
import type { Command } from 'commander'
import type { RevokeOptions, RevokeResult, RevokeWait } from '../../primary/signer/sdk.ts'
import { suggest } from '../../shared/suggest.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { CoveredReplica, CoverageResult } from '../../shared/protocol/coverage.ts'
import type { ReportedChange, Terminal } from '../terminal.ts'

export interface RevokingOptions {
  readonly wait: string
  readonly reason?: string
  readonly requestId?: string
}

/** The help lines about the JSON of every revoking command. */
export const REVOKED_JSON: readonly string[] = [
  '{"kind": "token" | "subject" | "org" | "key" | "org_disabled", "org", "seq", "already", "durability": "archive" | "replica" | "local", "position", …}',
  'kind token has also "id" and "matched": "recorded" if the mint is on record, else "unrecorded"',
  'kinds subject and org have "issuedUpToMs": tokens issued up to this time are revoked; kind key has "kid" and "mints"',
  '"clockInDoubt": true (subject, org): the primary doubts its clock, so "issuedUpToMs" is the time of its last mint; the revocation is extended to the time of the request once the primary trusts its clock again',
  '"degraded": true: the configured durability was not reached in time, the revocation is less durable',
  'seq is the number of the revocation; already: true means that it was revoked before and nothing was added',
  'with --wait global also "replicas": [{"name", "region", "how": "acknowledged" | "lease expired" | "no lease", "atMs"}]',
]

/** The help line about the exit status of every revoking command. */
export const REVOKED_EXIT =
  '4 with code position_unreached: the revocation is on the primary’s disk, but not yet on a replica or in the archive; repeat the command. --wait global returns when every replica and the services behind it have acknowledged it or lost their lease, at the latest after the bound that `macaroond status` shows'

/** Adds `--wait`, `--reason` and `--request-id`. */
export function addRevokingOptions(command: Command): Command {
  return command
    .option(
      '--wait <level>',
      'local: it is on the primary’s disk; durable: also on the disk of a replica or in the archive, as the primary is configured; global: no replica and no service accepts the token any more',
      'durable',
    )
    .option('--reason <text>', 'for the audit')
    .option('--request-id <id>', 'makes a retry safe: the same id with the same content gives the same answer')
}

/** The options as the SDK takes them, with progress printed on stderr. Throws usage. */
export function revokingOptions({ wait, reason = '', requestId }: RevokingOptions, terminal: Terminal): RevokeOptions {
  const onProgress = (soFar: CoverageResult): void => terminal.say(progressText(soFar))
  return { wait: waitLevel(wait), reason, onProgress, ...(requestId === undefined ? {} : { requestId }) }
}

/** Names what holds the revocation: always the primary's disk, and for the longer answers something in addition. */
const WHERE = {
  archive: 'in the archive too',
  replica: 'on a replica’s disk too',
  local: 'on the primary’s disk',
} as const

const DEGRADED =
  '  less durable than configured: the primary is in degraded mode, and `macaroond status` says since when'

const CLOCK_IN_DOUBT =
  '  the primary doubts its clock: this reaches the last token that it minted, and is extended to the time of this request once the primary trusts its clock again'

function revokedText(revoked: RevokeResult): readonly string[] {
  const { seq, already, durability, degraded, replicas = [] } = revoked
  const where = WHERE[durability]
  const how = already ? 'it was revoked before, nothing is added' : `revocation ${seq}`
  const less = degraded === true ? [DEGRADED] : []
  const doubt = 'clockInDoubt' in revoked ? [CLOCK_IN_DOUBT] : []
  return [
    `${whatText(revoked)}: ${how}, ${where}${matchedText(revoked)}`,
    ...doubt,
    ...less,
    ...coverageTexts(replicas),
  ]
}

/** Prints the answer of a revoking command, as text or JSON. */
export function answerRevoked(revoked: RevokeResult, terminal: Terminal): void {
  // A primary of 0.1.0 sends a count of tokens; later ones send a placeholder for clients of 0.1.0. Neither is printed.
  const { tokens: _, ...answer } = { tokens: undefined, ...revoked }
  terminal.answer(answer, revokedText(revoked), revokedDone(revoked))
}

/** The revocation is in force even if this answer is lost, so the hint names the command that shows it. */
function revokedDone(revoked: RevokeResult): ReportedChange {
  return { what: whatText(revoked), next: `\`macaroond revocations show --seq ${revoked.seq}\` shows it` }
}

/** One line for each replica: how it is covered and since when, or by when at the latest. */
export function coverageTexts(replicas: readonly CoveredReplica[]): readonly string[] {
  return replicas.map(({ name, how, atMs }) => {
    const when = how === 'pending' ? 'until, at the latest,' : 'at'
    return `  ${name}: ${how} ${when} ${new Date(atMs).toISOString()}`
  })
}

/** Throws usage. */
function waitLevel(text: string): RevokeWait {
  if (text === 'local' || text === 'durable' || text === 'global') return text
  const near = suggest(text, ['local', 'durable', 'global'])
  throw new MacaroondError('usage', `--wait is local, durable or global, not ${text.slice(0, 80)}`, {
    hint: near === undefined ? 'durable is the default' : `did you mean ${near}?`,
  })
}

/**
 * `--wait global` waits for replicas that have not acknowledged, and then for leases that the primary granted before its last
 * start: it no longer knows who holds those.
 */
function progressText({ replicas, earlierLeasesUntilMs }: CoverageResult): string {
  const pending = replicas.filter(({ how }) => how === 'pending').map(({ name }) => name)
  if (pending.length > 0) return `waiting for ${pending.join(', ')}: acknowledgement, or the end of a lease`
  const untilText = earlierLeasesUntilMs === null ? '' : ` until ${new Date(earlierLeasesUntilMs).toISOString()}`
  return `waiting for leases that the primary granted before its last start${untilText}`
}

function whatText(revoked: RevokeResult): string {
  const { kind, org } = revoked
  switch (kind) {
    case 'token':
      return `revoked ${revoked.id} of ${org}`
    case 'subject':
      return `revoked all tokens of ${revoked.subject} of ${org} issued up to ${timeText(revoked.issuedUpToMs)}`
    case 'org':
      return `revoked all tokens of ${org} issued up to ${timeText(revoked.issuedUpToMs)}`
    case 'key':
      return `retired key ${revoked.kid} of ${org}`
    case 'org_disabled':
      return `disabled ${org}`
  }
}

/** A token may be real although its mint is not on record: a restore may have undone the record. So the caller is told. */
function matchedText(revoked: RevokeResult): string {
  return revoked.kind === 'token' && revoked.matched === 'unrecorded' ? '; its mint is not on record' : ''
}

function timeText(ms: number): string {
  return new Date(ms).toISOString()
}
