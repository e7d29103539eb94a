/**
 * Requests by their ids: one that comes again, because its answer was lost, is answered as it was, also after a restart. So many are
 * kept, however old they are: a clock that is set ahead makes nobody's request new.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { txid as asTxid } from '../../shared/ids.ts'
import { REQUESTS_KEPT_MAX } from '../../shared/limits.ts'
import type { CommandAnswer, Command, RequestName } from './commands.ts'
import type { RequestRow, Row } from './rows.ts'
import type { AuthorityState } from './state.ts'
import type { DecisionContext } from './decision.ts'

export interface Recalled {
  readonly answer: CommandAnswer
  /** Where it was carried out. */
  readonly carriedOut: Pick<RequestRow, 'epoch' | 'txid'>
}

/** Undefined for a request that is new, or has no id. Throws request_conflict. */
export function recall({ requests }: AuthorityState, command: Command): Recalled | undefined {
  const name = nameOf(command)
  const known = name === undefined ? undefined : requests.get(name.id)
  if (known === undefined) return undefined
  if (known.digest === name?.digest) return { answer: JSON.parse(known.answer) as CommandAnswer, carriedOut: known }
  throw new MacaroondError('request_conflict', 'something else was asked under this request id before', {
    hint: 'take a new id for a new request; the same one is for asking the same again',
  })
}

/** The rows that keep this answer, and let go of the oldest where there are too many. */
export function remember(
  state: AuthorityState,
  command: Command,
  answer: CommandAnswer,
  { nowMs }: DecisionContext,
): readonly Row[] {
  const name = nameOf(command)
  if (name === undefined) return []
  const { requests, epoch } = state
  state.requestSeq += 1
  const place = { seq: state.requestSeq, epoch, txid: asTxid(state.txid + 1), atMs: nowMs }
  const row = { ...name, ...place, answer: JSON.stringify(answer) }
  requests.set(name.id, row)
  return [...forget(requests), { table: 'requests', row }]
}

function forget(requests: Map<string, RequestRow>): readonly Row[] {
  let last: RequestRow | undefined
  for (const row of requests.values()) {
    if (requests.size <= REQUESTS_KEPT_MAX) break
    requests.delete(row.id)
    last = row
  }
  return last === undefined ? [] : [{ table: 'requests removed', row: { seq: last.seq } }]
}

function nameOf(command: Command): RequestName | undefined {
  return 'request' in command ? command.request : undefined
}
