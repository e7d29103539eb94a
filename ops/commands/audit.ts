/**
 * `audit verify`: checks the hash chain of the audit at every node, or in a database file. A node checks its own chain in
 * bounded calls, so that the check delays nothing else.
 */
import type { Command } from 'commander'
import type { Profile, ProfileNode } from '../../shared/config/profile.ts'
import { type ErrorReport, MacaroondError, reportOf } from '../../shared/errors.ts'
import { AUDIT_VERIFY_START, auditVerifyResult, type AuditVerifyResult } from '../../shared/protocol/audit.ts'
import type { WithAdmin } from '../admin.ts'
import { addHelp } from '../arguments/help.ts'
import { adminOf, profileOf } from '../clients.ts'
import { EXIT_FAILED, EXIT_UNAVAILABLE } from '../exit-status.ts'
import type { ReportProgress } from '../progress.ts'
import type { Terminal } from '../terminal.ts'
import { addAuditList } from './audit-list.ts'

/** The result for one chain. `problem` is a broken chain, `error` a node that could not be asked. */
interface Verdict {
  readonly node: string
  readonly ok: boolean
  readonly records: number
  readonly problem: string | null
  readonly error?: ErrorReport
}

/** Adds `audit verify`. A broken chain outweighs a silent node in the exit status, because it is a finding and not a fault. */
export function addAudit(parent: Command, terminal: Terminal): void {
  const audit = parent.command('audit').description('check and list the record of every operation')
  addAuditList(audit, terminal)
  const command = audit
    .command('verify')
    .description('check that no record of the audit was changed, removed or inserted, at every node or in a file')
    .option('--database <file>', 'check this database file, which no node may have open, instead of the running nodes')
    .action(async ({ database }: { readonly database?: string }, own: Command) => {
      const verdicts =
        database === undefined ? await askAll(profileOf(own, terminal.env), terminal) : [await ofFile(database)]
      if (verdicts.some(({ error }) => error !== undefined)) terminal.status = EXIT_UNAVAILABLE
      if (verdicts.some(({ problem }) => problem !== null)) terminal.status = EXIT_FAILED
      terminal.answer({ ok: verdicts.every(({ ok }) => ok), chains: verdicts }, verdicts.map(lineOf))
    })
  addHelp(command, {
    examples: ['macaroond audit verify', 'macaroond audit verify --database ./restored.db'],
    json: ['{"ok", "chains": [{"node", "ok", "records", "problem": text | null, "error"?: {"code", "message"}}]}'],
    exit: '1 when a chain is broken, 4 when a node did not answer',
  })
}

/** Asks all nodes at once. Each has a copy of the audit, and a copy can be damaged alone. */
async function askAll(profile: Profile, terminal: Terminal): Promise<readonly Verdict[]> {
  const admin = adminOf(profile)
  return terminal.during('checking', (report) => {
    const replicas = profile.replicas.map((replica) => verify(admin, `replica ${replica.region}`, replica, report))
    return Promise.all([verify(admin, 'primary', profile.primary, report), ...replicas])
  })
}

/** Calls until the chain is checked to its end. An error is a result of this node and does not stop the others. */
async function verify(admin: WithAdmin, name: string, node: ProfileNode, report: ReportProgress): Promise<Verdict> {
  try {
    return await admin(node, async (call) => {
      for (let after = AUDIT_VERIFY_START; ;) {
        const { head, done, problem } = checked(await call('audit.verify', { after }))
        if (done) return { node: name, ok: problem === null, records: head.seq, problem }
        // A node that answers without progress would keep this loop running for ever.
        if (head.seq <= after.seq)
          throw new MacaroondError('protocol_violation', `${name} makes no progress in checking its audit`)
        report(`${head.seq.toLocaleString('en')} records of ${name}`)
        after = head
      }
    })
  } catch (error) {
    return { node: name, ok: false, records: 0, problem: null, error: reportOf(error) }
  }
}

function checked(value: unknown): AuditVerifyResult {
  const result = auditVerifyResult.safeParse(value)
  if (result.success) return result.data
  throw new MacaroondError('protocol_violation', 'the answer of a node is not a result of an audit check', {
    hint: 'run the macaroond that the node runs, or a newer one',
  })
}

/** Checks a file, such as a restored database before its first start. Throws database_corrupt and other errors of SQLite. */
async function ofFile(path: string): Promise<Verdict> {
  const [{ openReader }, { auditProblem }, { MetaReader }, { sqliteError }] = await Promise.all([
    import('../../shared/sqlite/open-database.ts'),
    import('../../shared/database/audit-chain.ts'),
    import('../../shared/database/meta.ts'),
    import('../../shared/files/storage-errors.ts'),
  ])
  const db = openReader(path)
  try {
    const problem = auditProblem(db) ?? null
    return { node: path, ok: problem === null, records: new MetaReader(db).read().auditSeq, problem }
  } catch (error) {
    throw sqliteError(error, `reading ${path}`)
  } finally {
    db.close()
  }
}

function lineOf({ node, problem, records, error }: Verdict): string {
  if (error !== undefined) return `${node}: not checked: ${error.message} (${error.code})`
  return problem === null ? `${node}: ${records} records, the chain is whole` : `${node}: BROKEN: ${problem}`
}
