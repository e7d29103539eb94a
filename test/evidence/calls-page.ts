/** docs/calls.md: the worst cost and the bound of every call. */
import { join } from 'node:path'
import { CALLS_SLICE_MS, SIGN_CALLS_IN_FLIGHT_MAX } from '../../shared/limits.ts'
import { PRIMARY_ADMIN_CALLS, REPLICA_CALLS, SIGN_CALLS } from '../../shared/protocol/calls.ts'
import { ROOT } from './gathered.ts'

export const CALLS_PAGE: string = join(ROOT, 'docs/calls.md')

interface Listed {
  readonly cost: string
  readonly bound: string
  readonly kind?: string
}

export function callsPage(): string {
  return [
    '# What a call may cost',
    '',
    '<!-- made by `npm run evidence` from shared/protocol/calls.ts -->',
    '',
    'No call does work in proportion to what is stored before it was admitted and counted against its caller. The work of a',
    'caller that is gone ends, but for revocations. Revocations and leases go ahead of everything else. What does not fit is',
    'answered `overloaded`, with the time after which to ask again.',
    '',
    `After ${CALLS_SLICE_MS} ms of calls a node does everything else that waits. Then peers take turns, each with all of its`,
    'connections; a connection whose call waits is not read on.',
    '',
    ...section('Primary, `sign`', SIGN_CALLS),
    ...section('Primary, `admin`', PRIMARY_ADMIN_CALLS),
    ...section('Replica, `verify`', REPLICA_CALLS.verify),
    ...section('Replica, `feed`', REPLICA_CALLS.feed),
    ...section('Replica, `admin`', REPLICA_CALLS.admin),
    '## Calls in flight',
    '',
    'On `sign` and `admin` a peer may have this many calls of each kind in flight, over all of its connections:',
    '',
    ...Object.entries(SIGN_CALLS_IN_FLIGHT_MAX).map(([kind, max]) => `- ${kind}: ${max}`),
    '',
  ].join('\n')
}

function section(title: string, calls: Readonly<Record<string, Listed>>): readonly string[] {
  const lines = Object.entries(calls).flatMap(([name, { cost, bound, kind }]) => [
    `- \`${name}\`${kind === undefined ? '' : ` (${kind})`}`,
    `  - costs at most: ${cost}`,
    `  - bound: ${bound}`,
  ])
  return [`## ${title}`, '', ...lines, '']
}
