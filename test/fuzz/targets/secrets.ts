/** Keys and proofs on disk and in rows: what was changed opens, and proves, nothing. */
import { readFileSync, rmSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { LargestLease } from '../../../replica/freshness/largest-lease.ts'
import { loadTable, saveTable } from '../../../replica/tables/table-file.ts'
import { createIdentityFile, loadIdentity } from '../../../shared/channel/identity.ts'
import { loadKek } from '../../../shared/config/kek.ts'
import { keyOfRow, rowOfColumns } from '../../../shared/database/revocation-log.ts'
import type { Kid, Nonce } from '../../../shared/ids.ts'
import { decodeMessage } from '../../../shared/protocol/message.ts'
import { checkPosition, signedPosition, signPosition } from '../../../shared/protocol/signed-position.ts'
import { kekFromHex, seal, type SealContext, unseal } from '../../../shared/sealing.ts'
import { Revocations } from '../../../shared/verifier/revocations.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { AUTHORITY, CLUSTER, ENTROPY, KID, NONCE, POSITION, TIMELINE } from '../fixed.ts'
import { ROWS } from '../samples.ts'
import { scratch, scratchFile } from '../scratch.ts'
import { requireBytes, requireSame, type Target } from '../target.ts'

const KEK_HEX = '0f'.repeat(32)
const CONTEXT: SealContext = { cluster: CLUSTER, org: 'acme', kid: KID }
const SECRET = Buffer.alloc(32, 4)

function runSealed(input: Buffer): string {
  requireBytes(unseal([kekFromHex(KEK_HEX)], CONTEXT, input), SECRET, 'a changed secret was opened')
  return 'opened'
}

async function identity(): Promise<readonly Buffer[]> {
  const path = scratch('written.key')
  rmSync(path, { force: true })
  await createIdentityFile(path, ENTROPY)
  return [readFileSync(path)]
}

async function runIdentity(input: Buffer): Promise<string> {
  const { peerId } = await loadIdentity(scratchFile('read.key', input))
  if (!input.includes(` ${peerId} `)) throw new Error('an identity that the file does not name')
  return 'loaded'
}

function runKek(input: Buffer): string {
  const { key } = loadKek({ file: scratchFile('read.kek', input) }, '/', {})
  const inVariable = loadKek({ env: 'KEK' }, '/', { KEK: input.toString('utf8') })
  requireBytes(inVariable.key, key, 'a file is read otherwise than a variable')
  requireSame(Buffer.from(key).toString('hex'), input.toString('utf8').trim().toLowerCase(), 'another key was read')
  return 'loaded'
}

const SIGNED = signPosition(AUTHORITY.privateKey, CLUSTER, { position: POSITION, timeline: TIMELINE })

function runSigned(input: Buffer): string {
  const signed = decodeMessage(input, signedPosition)
  if (checkPosition(AUTHORITY.publicKey, CLUSTER, signed) === undefined) return 'of nobody'
  requireSame(signed, SIGNED, 'a changed position was proven')
  return 'proven'
}

function runLease(input: Buffer): string {
  const { leaseMs } = new LargestLease(scratchFile('read.lease', input))
  if (!(leaseMs >= 0)) throw new Error('a lease that cannot be')
  return 'read'
}

async function leases(): Promise<readonly Buffer[]> {
  const path = scratch('written.lease')
  rmSync(path, { force: true })
  new LargestLease(path).raise(5_000)
  return [readFileSync(path)]
}

async function table(): Promise<readonly Buffer[]> {
  const path = scratch('written.table')
  const revocations = new Revocations({ seed: Buffer.alloc(8, 1) })
  for (const row of ROWS) if (row.kind !== 'unknown') revocations.take(row)
  await saveTable(path, { timeline: TIMELINE, seq: 10, last: 'row', sweptMs: 0, poison: undefined, revocations })
  return [readFileSync(path)]
}

/** A lookup in whatever was taken up comes to an end, and what was added to it is in it. */
function runTable(input: Buffer): string {
  const saved = loadTable(scratchFile('read.table', input))
  if (saved === undefined) return 'passed over'
  const { revocations } = saved
  const had = revocations.revoked(KID as Kid, NONCE as Nonce)
  const other = 'f'.repeat(32) as Nonce
  revocations.take({ seq: 11, kind: 'token', kid: KID, nonce: other, expiresAt: 0 })
  if (!revocations.revoked(KID as Kid, other)) throw new Error('what was revoked is not')
  if (had && !revocations.revoked(KID as Kid, NONCE as Nonce)) throw new Error('what was revoked is no more')
  revocations.sweep(0, 1)
  return had ? 'taken up' : 'taken up, without'
}

function mendTable(input: Buffer): Buffer {
  if (input.length < 20) return input
  const copy = Buffer.from(input)
  copy.writeUInt32LE(crc32(copy.subarray(16)), 12)
  return copy
}

/** One byte for the kind; the org; then the column `key`. */
const KINDS = ['token', 'subject', 'org', 'key', 'org_disabled', 'region']
const columns = (): readonly Buffer[] =>
  ROWS.map((row) => Buffer.concat([Buffer.from([KINDS.indexOf(row.kind)]), keyOfRow(row as KnownRevocation)]))

function runColumns(input: Buffer): string {
  const kind = KINDS[(input[0] ?? 0) % KINDS.length]!
  const key = input.subarray(1)
  const row = rowOfColumns({ seq: 5, kind, org: 'acme', key, expires_at: 0 })
  if (row.kind === 'unknown') return 'not understood'
  const poisoned = row.kind === 'token' && row.poison === true
  // What a disabled org holds beyond its name is passed over.
  if (!poisoned && row.kind !== 'org_disabled')
    requireBytes(keyOfRow(row), key, 'a row reads differently when written again')
  return `${row.kind}${poisoned ? ', poisoned' : ''}`
}

export const SECRET_TARGETS: readonly Target[] = [
  {
    name: 'sealed secret',
    seeds: () => [seal(kekFromHex(KEK_HEX), CONTEXT, SECRET, ENTROPY)],
    run: runSealed,
    codes: ['kek_wrong'],
    plain: true,
    reach: ['kek_wrong'],
  },
  {
    name: 'identity',
    seeds: identity,
    run: runIdentity,
    codes: ['key_malformed'],
    every: 64,
    reach: ['key_malformed'],
  },
  {
    name: 'key-encryption key',
    seeds: () => [Buffer.from(`${KEK_HEX}\n`)],
    run: runKek,
    codes: ['key_malformed'],
    every: 4,
    reach: ['loaded', 'key_malformed'],
  },
  {
    name: 'signed position',
    seeds: () => [Buffer.from(JSON.stringify(SIGNED))],
    run: runSigned,
    codes: ['protocol_violation'],
    reach: ['of nobody', 'protocol_violation'],
  },
  { name: 'largest lease', seeds: leases, run: runLease, codes: ['io_failed'], every: 4, reach: ['read', 'io_failed'] },
  {
    name: 'saved table',
    seeds: table,
    run: runTable,
    mend: mendTable,
    codes: [],
    every: 8,
    reach: ['passed over', 'taken up'],
  },
  {
    name: 'revocation columns',
    seeds: columns,
    run: runColumns,
    codes: [],
    reach: ['token', 'subject', 'org', 'key', 'org_disabled', 'not understood'],
  },
]
