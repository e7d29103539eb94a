/**
 * Schemas by which a worker checks the answers of `verify` and `explain`. The replica's identity is pinned, but it may run
 * another version, or lie, so any other form is refused. Reasons, checks and outcomes are open sets of names, so that a newer
 * replica may add some.
 */
import { z } from 'zod'
import { EPOCH_MAX } from '../ids.ts'
import {
  ANSWER_TEXT_CHARS_MAX,
  CAVEATS_TOTAL_MAX,
  DISCHARGES_MAX,
  LEASE_MS_MAX,
  ORG_CHARS_MAX,
  SUBJECT_BYTES_MAX,
} from '../limits.ts'
import type { CaveatTrace, DischargeTrace } from '../verifier/trace.ts'
import type { ExplainResult, VerifyResult } from './verify.ts'

const count = z.number().int().nonnegative()
const text = z.string().max(ANSWER_TEXT_CHARS_MAX)
const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/)
const ended = z.string().max(128)
/** The limits follow from those of a verification; a caveat in hex (`0x…`) is twice as long as the caveat. */
const texts = z.array(text).max(CAVEATS_TOTAL_MAX)
const thirdParty = z.object({ location: text, ticket: ended })

const accepted = z.object({
  ok: z.literal(true),
  id: ended,
  org: z.string().max(ORG_CHARS_MAX),
  subject: z.string().max(SUBJECT_BYTES_MAX),
  expiresAt: count.exactOptional(),
  notes: texts,
  caveatCount: count,
  presented: z.array(ended).max(CAVEATS_TOTAL_MAX).exactOptional(),
})

const refusal = z.object({
  ok: z.literal(false),
  reason: name,
  message: text,
  caveat: text.exactOptional(),
  wanted: text.exactOptional(),
  thirdParty: thirdParty.exactOptional(),
  issuedAtMs: count.exactOptional(),
  stalenessWantedMs: z.number().nonnegative().exactOptional(),
})

const judged = {
  node: ended,
  region: ended,
  pid: count,
  epoch: count.max(EPOCH_MAX),
  txid: count,
  revocationSeq: count,
  ageMs: z.number().nonnegative().max(LEASE_MS_MAX).exactOptional(),
}

const verdict = z.discriminatedUnion('ok', [accepted, refusal])

const discharge: z.ZodType<DischargeTrace> = z.lazy(() =>
  z.object({
    index: count,
    outcome: name,
    caveats: z.array(caveat).max(CAVEATS_TOTAL_MAX).exactOptional(),
  }),
) as z.ZodType<DischargeTrace>

const caveat: z.ZodType<CaveatTrace> = z.lazy(() =>
  z.object({
    caveat: text,
    outcome: name,
    wanted: text.exactOptional(),
    refusal: refusal.exactOptional(),
    thirdParty: thirdParty.exactOptional(),
    discharges: z.array(discharge).max(DISCHARGES_MAX).exactOptional(),
  }),
) as z.ZodType<CaveatTrace>

/** The names in it may come from a newer version. */
export const verifyResult: z.ZodType<VerifyResult> = z.discriminatedUnion('ok', [
  accepted.extend(judged),
  refusal.extend(judged),
]) as unknown as z.ZodType<VerifyResult>

export const explainResult: z.ZodType<ExplainResult> = z.object({
  verdict,
  checks: z.array(z.object({ check: name, held: z.boolean(), refusal: refusal.exactOptional() })).max(64),
  token: z
    .object({
      id: ended,
      org: text,
      subject: text,
      issuedAtMs: count,
      expiresAt: count.exactOptional(),
      ancestors: z.array(ended).max(64),
      caveatCount: count,
      dischargeCount: count,
    })
    .exactOptional(),
  caveats: z.array(caveat).max(CAVEATS_TOTAL_MAX),
  judgedBy: z.object({
    nowEarliestMs: z.number(),
    nowLatestMs: z.number(),
    region: text.exactOptional(),
    peer: text.exactOptional(),
    stalenessMs: z.number().nonnegative().exactOptional(),
  }),
  work: z.record(z.string().max(64), count),
  omitted: count.exactOptional(),
  judged: z.object(judged),
  unavailable: refusal.exactOptional(),
}) as unknown as z.ZodType<ExplainResult>
