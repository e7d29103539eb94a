/** The calls of a replica's `admin` channel: status, the revocations for a restore, and the audit, checked and listed. */
import type { Allowance } from '../shared/channel/allowance.ts'
import type { Connection } from '../shared/channel/connection.ts'
import { understands } from '../shared/channel/hello.ts'
import type { RpcMethod } from '../shared/channel/rpc-server.ts'
import { readConfigured } from '../shared/database/configured.ts'
import { KNOWS_CONFIGURED, KNOWS_SIGNED, KNOWS_UNREAD } from '../shared/protocol/known-revocations.ts'
import type { ReloadResult } from '../shared/protocol/reload.ts'
import type { SignedPosition } from '../shared/protocol/signed-position.ts'
import type { ReplicaStatus } from '../shared/protocol/status.ts'
import { answerAuditList } from '../shared/service/audit-list.ts'
import { answerAuditVerify } from '../shared/service/audit-verify.ts'
import { knownRevocations, type KnownSources } from './revocations/known.ts'

export interface AdminSources {
  /** Limits the calls of a peer, counted over all its connections. */
  readonly allowance: Allowance<'reading' | 'scanning'>
  readonly status: () => ReplicaStatus
  /** Reads the configuration again, for this caller. */
  readonly reload: (by: string) => Promise<ReloadResult>
  readonly known: () => KnownSources
  /** The newest position that the authority signed. */
  readonly signed: { readonly newest: SignedPosition | undefined }
}

/** The calls for one connection. An answer has only the fields that the caller's hello says it understands. */
export function adminCalls(
  { hello, remotePeer }: Pick<Connection, 'hello' | 'remotePeer'>,
  { allowance, status, reload, known, signed }: AdminSources,
): Record<string, RpcMethod> {
  // Null if there are no pages, or they do not name the configured replicas.
  const negotiatedFields = ({ source }: KnownSources): object => ({
    ...(understands(hello, KNOWS_CONFIGURED)
      ? { configured: source === undefined ? null : (readConfigured(source.reader) ?? null) }
      : {}),
    ...(understands(hello, KNOWS_SIGNED) ? { signed: signed.newest ?? null } : {}),
  })
  return {
    status: allowance.guarded('reading', status),
    reload: allowance.guarded('scanning', () => reload(remotePeer)),
    'revocations.known': allowance.guarded('scanning', async (value) => ({
      ...(await knownRevocations(known, value, understands(hello, KNOWS_UNREAD))),
      ...negotiatedFields(known()),
    })),
    'audit.verify': allowance.guarded('scanning', (value) => answerAuditVerify(known().source?.reader, value)),
    'audit.list': allowance.guarded('scanning', (value) => answerAuditList(known().source?.reader, value)),
  }
}
