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
    'A node admits each call and counts it against its caller before it does work in proportion to stored data. If the caller',
    'disconnects, its work ends, except for revocations. Revocations and leases go first. A call that does not fit is answered',
    '`overloaded`, with the time after which a retry makes sense.',
    '',
    `After ${CALLS_SLICE_MS} ms of calls a node first does all other work that waits. Peers take turns, each with all of its`,
    'connections. A node does not read further calls from a connection whose call waits.',
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
