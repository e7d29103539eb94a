/** One of each call and message, as the product makes them. */
import type { z } from 'zod'
import { positionText } from '../../shared/position.ts'
import { auditListParams } from '../../shared/protocol/audit.ts'
import { coverageParams } from '../../shared/protocol/coverage.ts'
import { knownParams } from '../../shared/protocol/known-revocations.ts'
import { recordOf, type RevocationRow } from '../../shared/verifier/revocation-row.ts'
import * as revoke from '../../shared/protocol/revoke.ts'
import * as sign from '../../shared/protocol/sign.ts'
import { signPosition } from '../../shared/protocol/signed-position.ts'
import * as tokens from '../../shared/protocol/tokens.ts'
import { verifyParams } from '../../shared/protocol/verify.ts'
import { AUTHORITY, CLUSTER, KID, NONCE, POSITION, TIMELINE } from './fixed.ts'

export const ROWS: readonly RevocationRow[] = [
  { seq: 6, kind: 'token', kid: KID, nonce: NONCE, expiresAt: 1_800_000_000 },
  { seq: 7, kind: 'subject', org: 'acme', subject: 'alice', untilMs: 1_700_000_000_000, expiresAt: 0 },
  { seq: 8, kind: 'org', org: 'acme', untilMs: 1_700_000_000_000, expiresAt: 0 },
  { seq: 9, kind: 'key', org: 'acme', kid: KID, expiresAt: 0 },
  { seq: 10, kind: 'org_disabled', org: 'acme', expiresAt: 0 },
]

/** As a later version may write it. */
const NEWER: RevocationRow = {
  kind: 'unknown',
  seq: 11,
  record: { seq: 11, kind: 'region', org: 'acme', region: ['fra', { zone: [1, 2] }], expiresAt: 0 },
}

const signed = signPosition(AUTHORITY.privateKey, CLUSTER, { position: POSITION, timeline: TIMELINE })
const boot = 'cd'.repeat(16)
const place = { epoch: 3, timeline: TIMELINE, seq: 9, txid: 77, boot, id: 4, leaseMs: 5_000 }
const revoked = { t: 'revoked', after: 5, rows: ROWS.map(recordOf), through: 10 }
const gap = { ...revoked, after: 8 }
const newer = { t: 'revoked', after: 10, rows: [recordOf(NEWER)], through: 12 }

type StreamName = 'toReplica' | 'fromReplica' | 'toStream' | 'fromStream' | 'toWorker' | 'fromWorker'

interface Message {
  readonly t: string
  readonly [field: string]: unknown
}

export const MESSAGES: Readonly<Record<StreamName, readonly Message[]>> = {
  toReplica: [
    { t: 'resume' },
    { t: 'snapshot', position: positionText(POSITION), timeline: TIMELINE, pages: 9 },
    { t: 'position', signed },
  ],
  fromReplica: [
    { t: 'ack', position: positionText(POSITION) },
    { t: 'resync', reason: 'it does not fit' },
  ],
  toStream: [revoked, gap, newer, { t: 'granted', ...place, wallMs: 1_700_000_000_000.5, believedMs: 0, signed }],
  fromStream: [
    { t: 'ack', seq: 9 },
    { t: 'covered', seq: 9 },
    { t: 'ping', id: 4, wallMs: 1_700_000_000_000.5 },
  ],
  toWorker: [
    { t: 'begin', epoch: 3, timeline: TIMELINE, seq: 5 },
    revoked,
    gap,
    newer,
    { t: 'granted', ...place, ageMs: 12.5, earliestMs: 5, latestMs: 6 },
  ],
  fromWorker: [
    { t: 'ping', id: 4 },
    { t: 'ack', epoch: 3, seq: 9 },
  ],
}

interface Call {
  readonly method: string
  readonly schema: z.ZodType
  readonly params: unknown
}

const common = { reason: 'left', wait: 'durable', requestId: 'r-1' }

export const CALLS: readonly Call[] = [
  {
    method: 'verify',
    schema: verifyParams,
    params: {
      token: 'mcn1_AAAA',
      access: { org: 'acme', op: ['read', 'list'] },
      peer: '12D3KooW',
      minPosition: positionText(POSITION),
      minimum: { epoch: 3, seq: 9 },
    },
  },
  { method: 'org.create', schema: sign.orgCreateParams, params: { name: 'acme' } },
  { method: 'org.rotate-key', schema: sign.rotateKeyParams, params: { org: 'acme', requestId: 'r-2' } },
  { method: 'org.retire-key', schema: revoke.retireKeyParams, params: { org: 'acme', kid: KID, ...common } },
  { method: 'org.disable', schema: revoke.disableOrgParams, params: { org: 'acme', ...common } },
  {
    method: 'token.mint',
    schema: sign.mintParams,
    params: { org: 'acme', subject: 'alice', caveats: ['op = read'], ttlSeconds: 3_600 },
  },
  { method: 'token.revoke', schema: revoke.revokeTokenParams, params: { id: `${KID}.${NONCE}`, ...common } },
  {
    method: 'issued.revoke',
    schema: revoke.revokeIssuedParams,
    params: { org: 'acme', subject: 'alice', untilMs: 5, ...common },
  },
  {
    method: 'token.discharge',
    schema: sign.dischargeParams,
    params: { ticket: 'AAAA', tokens: ['mcn1_AAAA', 'mcn1_BBBB'] },
  },
  {
    method: 'token.exchange',
    schema: sign.exchangeParams,
    params: { token: 'mcn1_AAAA', strip: 'https://login', id: `${KID}.${NONCE}`, ticket: 'AAAA', ttlSeconds: 60 },
  },
  { method: 'third-party.add', schema: sign.thirdPartyAddParams, params: { name: 'vault', unrevoked: true } },
  { method: 'third-party.remove', schema: sign.thirdPartyParams, params: { name: 'vault' } },
  { method: 'revocations.coverage', schema: coverageParams, params: { epoch: 3, seq: 9, waitMs: 0 } },
  { method: 'revocations.known', schema: knownParams, params: { after: 9 } },
  { method: 'revocations.list', schema: revoke.revocationsParams, params: { org: 'acme', after: 0, limit: 100 } },
  { method: 'revocations.find', schema: revoke.findRevocationsParams, params: { org: 'acme', subject: 'alice' } },
  { method: 'kek.rotate', schema: sign.rotateKekParams, params: { force: false } },
  {
    method: 'tokens.count',
    schema: revoke.countTokensParams,
    params: { org: 'acme', kid: KID, subject: 'alice', untilMs: 1_700_000_000_000 },
  },
  {
    method: 'tokens.list',
    schema: tokens.listTokensParams,
    params: { org: 'acme', subject: 'alice', sinceMs: 5, live: true, after: NONCE, limit: 100 },
  },
  { method: 'tokens.made-from', schema: tokens.madeFromParams, params: { id: `${KID}.${NONCE}`, after: '', limit: 5 } },
  { method: 'token.show', schema: tokens.showTokenParams, params: { id: `${KID}.${NONCE}` } },
  {
    method: 'audit.list',
    schema: auditListParams,
    params: { after: 0, sinceMs: 5, actor: 'operator', org: 'acme', kind: 'token.mint' },
  },
]
