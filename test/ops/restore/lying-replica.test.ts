/** S8 and S3 against a replica that lies to a restore: what it tells can be left out, and takes nothing away. */
import { describe, expect, test } from 'vitest'
import type { RunningCluster } from '../../../ops/admin.ts'
import { carryOver } from '../../../ops/restore/carry-over.ts'
import type { Evidence, EvidenceSource } from '../../../ops/restore/evidence.ts'
import { evidenceOfReplica } from '../../../ops/restore/replica-evidence.ts'
import type { RevocationColumns } from '../../../shared/database/revocation-columns.ts'

const TOKEN = { hex: '7'.repeat(16) + '1'.repeat(32) }
const row = (changes: RevocationColumns = {}): RevocationColumns => {
  return { kind: 'token', org: 'acme', key: TOKEN, at_ms: 1, expires_at: 0, actor: 'a', reason: 'r', ...changes }
}
const told = (source: EvidenceSource, ...revocations: readonly RevocationColumns[]): Evidence => {
  const numbers = { position: undefined, issueClockMs: 0, leaseMsMax: 0, configured: undefined, database: undefined }
  return { from: source.kind, source, signed: false, cluster: 'test', revocations, ...numbers }
}

/** A replica that answers whatever it likes. */
function asked(rows: readonly unknown[], next: number | null = null): Promise<Evidence> {
  const answer = { position: null, issueClockMs: 0, leaseMsMax: 0, rows, journal: [], next }
  const admin = ((_: unknown, use: (call: () => Promise<unknown>) => unknown) =>
    use(() => Promise.resolve(answer))) as never
  const cluster = { cluster: 'test', admin } as unknown as RunningCluster
  const replica = { region: 'fra', address: '127.0.0.1:1', peer_id: 'A' } as never
  return evidenceOfReplica(cluster, replica, { orgOfKey: () => undefined, publicKey: undefined })
}

describe('a row that no primary would start with', () => {
  const rows: Readonly<Record<string, RevocationColumns>> = {
    'of a kind that nobody knows': row({ kind: 'everything' }),
    'whose key is too short for its kind': row({ key: { hex: '77' } }),
    'with an expiry that no column takes': row({ expires_at: 1.5 }),
    'with an expiry beyond all numbers': row({ expires_at: 1.5e300 }),
    'with a column that the table lacks': row({ nothing: 1 }),
    'without its reason': Object.fromEntries(Object.entries(row()).filter(([name]) => name !== 'reason')),
    'longer than any that a caller can ask for': row({ reason: 'x'.repeat(100_000) }),
    'for an org that cannot be': row({ kind: 'org_disabled', org: 'No Org', key: { hex: '' } }),
  }
  test.each(Object.keys(rows))('%s is never carried over: its replica counts as not read', async (name) => {
    await expect(asked([row(), rows[name]])).rejects.toMatchObject({ code: 'schema_newer' })
  })
})

test('a row in the form of an honest replica is read', async () => {
  expect((await asked([row()])).revocations).toEqual([row()])
})

test('an endless list is refused', async () => {
  await expect(asked([], 7)).rejects.toMatchObject({ code: 'protocol_violation' })
})

describe('when a token ends', () => {
  const [liar, disk] = [{ kind: 'replica', peerId: 'A' }, { kind: 'old disk' }] as const
  const carried = (...evidence: readonly Evidence[]): unknown =>
    carryOver([], evidence).revocations.map(({ expires_at: end }) => end)

  test('is not taken from a replica, whose early expiry would purge the revocation too soon', () => {
    expect(carried(told(liar, row({ expires_at: 1 })))).toEqual([0])
    expect(carried(told(liar, row({ expires_at: 1 })), told(disk, row({ expires_at: 9_000 })))).toEqual([9_000])
  })

  test('is the latest that disks and archive report, and never if one of them reports no end', () => {
    const ends = (...all: readonly number[]): unknown =>
      carried(...all.map((end) => told(disk, row({ expires_at: end }))))
    expect([ends(5, 9), ends(9, 5), ends(5, 0), ends(0, 5)]).toEqual([[9], [9], [0], [0]])
  })
})
