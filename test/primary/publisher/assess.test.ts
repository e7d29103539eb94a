import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assess, type Assessment, type ReplicaClaim, type PrimaryHistory } from '../../../primary/publisher/assess.ts'
import { checksum, epoch, timeline, txid, type Checksum, type Timeline, type Txid } from '../../../shared/ids.ts'
import type { Position } from '../../../shared/position.ts'

const OURS: Timeline = timeline('a'.repeat(32))
const THEIRS: Timeline = timeline('b'.repeat(32))
const HEAD = 50
/** The log reaches back to here. */
const FIRST = 20

function contentAt(at: number): Checksum {
  return checksum((1n << 63n) | BigInt(at * 7919))
}

function position(at: number, changes: Partial<Position> = {}): Position {
  return { epoch: epoch(3), txid: txid(at), checksum: contentAt(at), ...changes }
}

const history: PrimaryHistory = {
  position: position(HEAD),
  timeline: OURS,
  checksumAt: (at: Txid) => (at >= FIRST && at <= HEAD ? contentAt(at) : undefined),
  revocationSeq: 7,
}

function claimAt(at: number, changes: Partial<Position> = {}, line: Timeline = OURS): ReplicaClaim {
  return { position: position(at, changes), timeline: line, proven: undefined, revocations: undefined }
}

function proof(at: number, changes: Partial<Position> = {}, line: Timeline = OURS): ReplicaClaim {
  const claim = claimAt(at, changes, line)
  return { ...claim, proven: { position: position(at, changes), timeline: line } }
}

const EMPTY: ReplicaClaim = { position: undefined, timeline: undefined, proven: undefined, revocations: undefined }
const WRONG: Checksum = checksum(1n << 63n)

const TABLE: readonly (readonly [string, ReplicaClaim, Assessment['kind']])[] = [
  ['without a database', EMPTY, 'snapshot'],
  ['at our head', claimAt(HEAD), 'resume'],
  ['behind, inside the log', claimAt(FIRST), 'resume'],
  ['behind, before the log', claimAt(FIRST - 1), 'snapshot'],
  ['ahead, unproven', claimAt(HEAD + 1), 'refuse'],
  ['ahead, proven', proof(HEAD + 1), 'stop'],
  ['other content at the head, unproven', claimAt(HEAD, { checksum: WRONG }), 'refuse'],
  ['other content at the head, proven', proof(HEAD, { checksum: WRONG }), 'stop'],
  ['other content inside the log, unproven', claimAt(30, { checksum: WRONG }), 'refuse'],
  ['other content inside the log, proven', proof(30, { checksum: WRONG }), 'stop'],
  ['other content before the log: nobody can say', proof(FIRST - 1, { checksum: WRONG }), 'snapshot'],
  ['another timeline of our epoch, unproven', claimAt(30, {}, THEIRS), 'refuse'],
  ['another timeline of our epoch, proven', proof(30, {}, THEIRS), 'stop'],
  ['a higher epoch, unproven', claimAt(30, { epoch: epoch(4) }, THEIRS), 'refuse'],
  ['a higher epoch, proven: we are fenced', proof(30, { epoch: epoch(4) }, THEIRS), 'stop'],
  ['an older epoch', claimAt(HEAD + 100, { epoch: epoch(2) }, THEIRS), 'snapshot'],
  ['an older epoch, proven', proof(HEAD + 100, { epoch: epoch(2) }, THEIRS), 'snapshot'],
  ['no database, but proof that there was more', { ...EMPTY, proven: proof(HEAD + 1).proven }, 'stop'],
  ['no database, and proof of what we have', { ...EMPTY, proven: proof(HEAD).proven }, 'snapshot'],
  ['with as many revocations as we have', { ...claimAt(30), revocations: { timeline: OURS, seq: 7 } }, 'resume'],
  [
    'behind, but with a revocation that we do not have',
    { ...claimAt(30), revocations: { timeline: OURS, seq: 8 } },
    'refuse',
  ],
  ['empty, but with a revocation that we do not have', { ...EMPTY, revocations: { timeline: OURS, seq: 8 } }, 'refuse'],
  ['with more revocations of another timeline', { ...EMPTY, revocations: { timeline: THEIRS, seq: 8 } }, 'snapshot'],
  ['a position without a timeline', { ...claimAt(HEAD), timeline: undefined }, 'snapshot'],
  ['a claim ahead beside a proof of less', { ...claimAt(HEAD + 1), proven: proof(30).proven }, 'refuse'],
  ['transaction 0', claimAt(0), 'snapshot'],
]

for (const [who, claim, kind] of TABLE) {
  test(`a replica ${who}: ${kind}`, () => {
    expect(assess(history, claim).kind).toBe(kind)
  })
}

test('a replica that resumes gets what follows its own transaction', () => {
  expect(assess(history, claimAt(37))).toEqual({ kind: 'resume', after: 37 })
})

const anyClaim = fc
  .record({
    at: fc.integer({ min: 0, max: HEAD + 20 }),
    right: fc.boolean(),
    epoch: fc.integer({ min: 2, max: 4 }),
    line: fc.constantFrom(OURS, THEIRS),
    standing: fc.boolean(),
  })
  .map(({ at, right, epoch: of, line, standing }) => {
    const stands = claimAt(at, { epoch: epoch(of), ...(right ? {} : { checksum: WRONG }) }, line)
    return standing ? stands : EMPTY
  })

test('no replica ever resumes from a content, a timeline or an epoch that is not this primary’s', () => {
  fc.assert(
    fc.property(anyClaim, anyClaim, fc.boolean(), (claim, other, hasProof) => {
      const { position: at, timeline: line } = other
      const proven = hasProof && at !== undefined && line !== undefined ? { position: at, timeline: line } : undefined
      const result = assess(history, { ...claim, proven })
      if (result.kind !== 'resume') return
      expect(claim.position).toEqual(position(result.after))
      expect(claim.timeline).toBe(OURS)
    }),
  )
})

test('no claim without a proof stops a primary', () => {
  fc.assert(fc.property(anyClaim, (claim) => assess(history, { ...claim, proven: undefined }).kind !== 'stop'))
})
