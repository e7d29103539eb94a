import { expect, test } from 'vitest'
import type { Row } from '../../../primary/authority/rows.ts'
import type { AuthorityState } from '../../../primary/authority/state.ts'
import type { TransactionPort } from '../../../primary/commit-log/group-writer.ts'
import { RecentRevocations } from '../../../primary/publisher/recent-revocations.ts'
import { checksum, epoch, kid, nonce, txid } from '../../../shared/ids.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'

const STATE = {} as AuthorityState

/** A log that holds what was committed, and counts how often it is asked. */
class Log {
  readonly rows: RevocationRow[] = []
  reads = 0
  readonly after = (seq: number, limit: number): RevocationRow[] => {
    this.reads += 1
    return this.rows.filter((row) => row.seq > seq).slice(0, limit)
  }
}

function revocation(seq: number): Extract<Row, { table: 'revocations' }> {
  const [name, unique] = [kid('00000000000000a1'), nonce(seq.toString(16).padStart(32, '0'))]
  const revocation = { seq, kind: 'token', kid: name, nonce: unique, expiresAt: seq + 1000 } as const
  return { table: 'revocations', row: { revocation, org: 'acme', atMs: 1, actor: 'test', reason: '' } }
}

function setUp(fails: () => boolean = () => false): { log: Log; recent: RecentRevocations; port: TransactionPort } {
  const log = new Log()
  let written: RevocationRow[] = []
  const recent = new RecentRevocations(log)
  const port: TransactionPort = {
    begin: () => {
      written = []
    },
    write: ({ table, row }) => {
      if (table === 'revocations') written.push(row.revocation)
    },
    commit: () => {
      log.rows.push(...written)
      if (fails()) throw new Error('committed, but not logged')
      return { epoch: epoch(1), txid: txid(1), checksum: checksum(1n) }
    },
    rollback: () => {
      written = []
    },
    positionAt: () => undefined,
    migrate: () => false,
    reload: () => STATE,
  }
  return { log, recent, port: recent.recordingPort(port) }
}

function commit(port: TransactionPort, ...seqs: number[]): void {
  port.begin()
  for (const seq of seqs) port.write(revocation(seq))
  port.commit(STATE, () => 0)
}

const seqs = (rows: readonly RevocationRow[]): number[] => rows.map((row) => row.seq)

test('a recent revocation comes from memory, without reading the log, and equals the log’s', () => {
  const { log, recent, port } = setUp()
  commit(port, 1, 2, 3)
  commit(port, 4, 5)
  expect(recent.after(0, 100)).toEqual(log.rows)
  expect(seqs(recent.after(2, 2))).toEqual([3, 4])
  expect(log.reads).toBe(0)
})

test('a revocation older than those in memory comes from the log', () => {
  const { log, recent, port } = setUp()
  log.rows.push(...[1, 2].map((seq) => ({ seq, kind: 'token' as const, kid: '', nonce: '', expiresAt: 0 })))
  commit(port, 3, 4)
  expect(seqs(recent.after(0, 100))).toEqual([1, 2, 3, 4])
  expect(log.reads).toBe(1)
})

test('a long history is kept in part, and nothing of it is missing or comes twice', () => {
  const { recent, port } = setUp()
  for (let first = 1; first < 20_000; first += 100) {
    commit(port, ...Array.from({ length: 100 }, (_, index) => first + index))
  }
  let sent = 0
  for (let rows = recent.after(sent, 500); rows.length > 0; rows = recent.after(sent, 500)) {
    expect(seqs(rows)).toEqual(Array.from({ length: rows.length }, (_, index) => sent + 1 + index))
    sent = rows.at(-1)?.seq ?? Infinity
  }
  expect(sent).toBe(20_000)
})

test('rows of a transaction that was rolled back are not kept', () => {
  const { recent, port } = setUp()
  commit(port, 1)
  port.begin()
  port.write(revocation(2))
  port.rollback()
  commit(port, 2, 3)
  expect(seqs(recent.after(0, 100))).toEqual([1, 2, 3])
})

test('a transaction that was committed but not logged leaves no gap: its rows come from the log', () => {
  let failing = false
  const { recent, port } = setUp(() => failing)
  commit(port, 1)
  failing = true
  expect(() => commit(port, 2, 3)).toThrow('not logged')
  port.rollback()
  failing = false
  expect(seqs(recent.after(1, 100))).toEqual([2, 3])
  commit(port, 4)
  expect(seqs(recent.after(1, 100))).toEqual([2, 3, 4])
  expect(seqs(recent.after(3, 100))).toEqual([4])
})
