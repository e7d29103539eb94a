/**
 * Idempotency: the answer to a repeated request id is the first answer, also after a restart. The newest `REQUESTS_KEPT_MAX`
 * answers are kept, whatever their age: a clock that is set ahead must not make an old request look new.
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
  /** The transaction that carried the request out. */
  readonly carriedOut: Pick<RequestRow, 'epoch' | 'txid'>
}

/** Undefined if the request is new or has no id. Throws request_conflict. */
export function recall({ requests }: AuthorityState, command: Command): Recalled | undefined {
  const name = nameOf(command)
  const known = name === undefined ? undefined : requests.get(name.id)
  if (known === undefined) return undefined
  if (known.digest === name?.digest) return { answer: JSON.parse(known.answer) as CommandAnswer, carriedOut: known }
  throw new MacaroondError('request_conflict', 'another request was made under this request id', {
    hint: 'use a new id for a new request; a known id only repeats its first request',
  })
}

/** The rows that store this answer and delete the oldest answers beyond the limit. */
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
  return [...trimOldest(requests), { table: 'requests', row }]
}

function trimOldest(requests: Map<string, RequestRow>): readonly Row[] {
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
