/**
 * Reads a database over and over from a process of its own, until stdin ends; then prints what it saw. In every committed state the
 * meta row's counters are the last numbers of the tables they count: a state in which they are not is torn.
 */
import Sqlite from 'better-sqlite3'

const db = new Sqlite(process.argv[2] ?? '', { readonly: true, timeout: 1000 })
const state = db.prepare(
  `SELECT txid, audit_seq, revocation_seq, key_generation,
     (SELECT max(seq) FROM audit) AS audit, (SELECT coalesce(max(seq), 0) FROM revocations) AS revocations,
     (SELECT count(*) FROM root_keys) AS keys
   FROM meta`,
)
interface State {
  readonly txid: number
  readonly audit_seq: number
  readonly revocation_seq: number
  readonly key_generation: number
  readonly audit: number
  readonly revocations: number
  readonly keys: number
}
const seen = { reads: 0, torn: 0, backwards: 0, states: 0, integrity: 'ok' }
let last = 0
let ended = false
process.stdin.resume().on('end', () => (ended = true))

function read(): void {
  for (let count = 0; count < 500; count += 1) {
    const now = state.get() as State
    seen.reads += 1
    if (now.audit !== now.audit_seq || now.revocations !== now.revocation_seq || now.keys !== now.key_generation)
      seen.torn += 1
    if (now.txid < last) seen.backwards += 1
    if (now.txid > last) seen.states += 1
    last = now.txid
  }
  const integrity = String(db.pragma('integrity_check', { simple: true }))
  if (integrity !== 'ok') seen.integrity = integrity
  if (!ended) return void setImmediate(read)
  db.close()
  process.stdout.write(JSON.stringify(seen))
}

process.stdout.write('reading\n')
read()
