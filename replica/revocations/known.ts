/** What this replica knows of revocations, for a restore: rows of its pages, a part at a time, and its whole journal. */
import { readFileSync } from 'node:fs'
import { readRevocationColumns } from '../../shared/database/revocation-columns.ts'
import { positionText } from '../../shared/position.ts'
import { type KnownAnswer, knownParams } from '../../shared/protocol/known-revocations.ts'
import { params } from '../../shared/protocol/params.ts'
import { recordOf } from '../../shared/protocol/revocation-row.ts'
import type { TableSource } from '../tables/tables.ts'
import type { Standing } from '../follower/core.ts'
import { decodeJournal } from './journal-records.ts'

export interface KnownSources {
  /** Undefined without a database. */
  readonly source: TableSource | undefined
  readonly standing: Standing | undefined
  readonly journalPath: string
}

/** One answer stays far below the limit of a message. */
const ROWS_A_CALL = 500

export function knownRevocations({ source, standing, journalPath }: KnownSources, value: unknown): KnownAnswer {
  const { after } = params(knownParams, value)
  const read = source === undefined ? [] : readRevocationColumns(source.reader, after, ROWS_A_CALL)
  // While it is written to, the last record may be torn: that one is not acknowledged yet.
  const journal = after === 0 ? decodeJournal(readFileSync(journalPath)).parts.flatMap(({ rows }) => rows) : []
  const { issueClockMs = 0, leaseMsMax = 0 } = source?.meta.read() ?? {}
  return {
    position: standing === undefined ? null : positionText(standing.position),
    issueClockMs,
    leaseMsMax,
    rows: read.map(({ columns }) => columns),
    journal: journal.map(recordOf),
    next: read.length < ROWS_A_CALL ? null : (read.at(-1)?.seq ?? null),
  }
}
