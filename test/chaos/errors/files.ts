/** The files of a node's data folder by what they are for, and the paths by which strace is to know them. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseTxid, txid, txidText } from '../../../shared/ids.ts'
import type { NodeFiles } from '../cluster.ts'
import type { Role } from '../kill-point/points.ts'

/** Names are those that the files have when they are written: what gets its name by a rename is written as `….tmp`. */
const FIXED: Readonly<Record<Role, Readonly<Record<string, string>>>> = {
  primary: {
    database: 'macaroond.db',
    wal: 'macaroond.db-wal',
    index: 'macaroond.db-shm',
    'log folder': 'log',
    'data folder': '',
    lock: 'node.lock',
  },
  replica: {
    database: 'macaroond.db',
    wal: 'macaroond.db-wal',
    index: 'macaroond.db-shm',
    position: 'position',
    'new position': 'position.tmp',
    journal: 'revocations.journal',
    'signed position': 'signed-position.json.tmp',
    'largest lease': 'largest-lease.json.tmp',
    'saved table': 'revocations.table.tmp',
    'incoming snapshot': 'snapshot.incoming',
    'new database': 'macaroond.db.partial',
    'data folder': '',
    lock: 'node.lock',
  },
}

/** Named after transactions: as many of them are known by name as a life can come to. */
const NUMBERED: Readonly<Record<string, (number: string) => string>> = {
  log: (number) => join('log', `${number}.segments`),
  snapshot: (number) => `snapshot-${number}.ltx`,
}
const TRANSACTIONS_A_LIFE = 1_500

export function kindsOf(role: Role): readonly string[] {
  return [...Object.keys(FIXED[role]), ...(role === 'primary' ? Object.keys(NUMBERED) : [])]
}

/** Undefined for what is none of them. */
export function kindOf({ role, data }: NodeFiles, path: string): string | undefined {
  const name = path === data ? '' : path.startsWith(`${data}/`) ? path.slice(data.length + 1) : undefined
  if (name === undefined) return undefined
  const fixed = Object.entries(FIXED[role]).find(([, known]) => known === name)
  if (fixed !== undefined) return fixed[0]
  if (role === 'replica') return undefined
  if (/^log\/[0-9a-f]{16}\.segments$/.test(name)) return 'log'
  return /^snapshot-[0-9a-f]{16}\.ltx$/.test(name) ? 'snapshot' : undefined
}

export function pathsOf({ role, data }: NodeFiles, kinds: readonly string[]): readonly string[] {
  return kinds.flatMap((kind) => {
    const fixed = FIXED[role][kind]
    if (fixed !== undefined) return [fixed === '' ? data : join(data, fixed)]
    const named = NUMBERED[kind]
    return named === undefined ? [] : numbersAhead(data).map((number) => join(data, named(number)))
  })
}

/** Of the segments that are there, and of the transactions to come. */
function numbersAhead(data: string): readonly string[] {
  const log = join(data, 'log')
  const there = existsSync(log) ? readdirSync(log).filter((name) => name.endsWith('.segments')) : []
  const numbers = there.map((name) => name.slice(0, -'.segments'.length)).toSorted()
  const newest = numbers.length === 0 ? 0 : parseTxid(numbers.at(-1) ?? '')
  const ahead = Array.from({ length: TRANSACTIONS_A_LIFE }, (_, index) => txidText(txid(newest + 1 + index)))
  return [...numbers, ...ahead]
}
