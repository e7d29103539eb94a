/** An authority in memory: a state, deterministic entropy, and a clock that the test sets. */
import type { Actor, Command } from '../../../primary/authority/commands.ts'
import { AUDIT_GENESIS } from '../../../shared/database/audit-chain.ts'
import { ForgottenNumbers } from '../../../shared/database/forgotten.ts'
import type { Row } from '../../../primary/authority/rows.ts'
import type { AuthorityState } from '../../../primary/authority/state.ts'
import type { DecisionContext } from '../../../primary/authority/decision.ts'
import { step, type Outcome } from '../../../primary/authority/step.ts'
import { UnrecordedRate } from '../../../primary/authority/unrecorded.ts'
import type { Entropy } from '../../../shared/clock.ts'
import { signingKeyContext } from '../../../shared/database/signing-key.ts'
import { epoch, timeline, txid } from '../../../shared/ids.ts'
import { resumeNonces } from '../../../shared/macaroon/nonce.ts'
import { TABLE_SEED_BYTES } from '../../../shared/verifier/revocation-table.ts'
import { Revocations } from '../../../shared/verifier/revocations.ts'
import { kekFromHex, type Kek, seal } from '../../../shared/sealing.ts'

export const KEK: Kek = kekFromHex('ab'.repeat(32))
export const NOW_MS = 1_800_000_000_000
export const ACTOR: Actor = { text: 'tester 12D3Koo' }

/** Never the same bytes twice, always the same sequence. */
export function countingEntropy(): Entropy {
  let count = 0
  const bytes = (length: number): Buffer => {
    count += 1
    return Buffer.from(Array.from({ length }, (_, index) => (count * 31 + index * 7) & 0xff))
  }
  return { bytes, uniform: () => 0.5 }
}

const SIGNING_KEY = seal(KEK, signingKeyContext('test'), Buffer.alloc(32, 1), countingEntropy())

export function freshState(): AuthorityState {
  return {
    cluster: 'test',
    epoch: epoch(1),
    timeline: timeline('a'.repeat(32)),
    orgs: new Map(),
    keys: new Map(),
    thirdParties: new Map(),
    signingKeys: [{ id: 1, sealed: SIGNING_KEY }],
    revocations: new Revocations({ seed: Buffer.alloc(TABLE_SEED_BYTES) }),
    newestSeqs: new Map(),
    undo: [],
    adopted: new Map(),
    forgotten: new ForgottenNumbers([]),
    epochs: new Map(),
    withoutRevocationsEpoch: 0,
    requests: new Map(),
    dueCutOffs: new Map(),
    dueSeq: 0,
    issue: resumeNonces(0),
    txid: txid(1),
    requestSeq: 0,
    keyGeneration: 0,
    revocationSeq: 0,
    audit: { seq: 0, hash: AUDIT_GENESIS },
    leaseMsMax: 0,
    configured: undefined,
    archiveChains: new Map(),
    settledEpoch: 1,
  }
}

export class Authority {
  readonly state: AuthorityState = freshState()
  readonly entropy: Entropy = countingEntropy()
  readonly rows: Row[] = []
  /** Of the rate of revocations without a record. */
  monotonicMs = 0
  readonly unrecorded: UnrecordedRate = new UnrecordedRate({ monotonicMs: () => this.monotonicMs })
  ring: readonly Kek[] = [KEK]
  nowMs: number = NOW_MS
  /** How far the wall clock was set back behind the time that is believed. */
  setBackMs = 0

  /** How far the authority's own time is ahead of the time that is believed: its issue clock jumped once. */
  aheadMs = 0

  /** While the clock is in doubt it shows another time by so much, and the authority goes on by its own. */
  doubtedByMs: number | undefined

  do(command: Command): Outcome {
    const { nowMs, setBackMs, aheadMs, doubtedByMs } = this
    const believed = doubtedByMs === undefined ? { earliestMs: nowMs, latestMs: nowMs + setBackMs } : undefined
    const times = { nowMs: nowMs + aheadMs, steadyMs: nowMs, wallMs: nowMs + (doubtedByMs ?? 0), believed }
    const moment: DecisionContext = { ...times, entropy: this.entropy, ring: this.ring, unrecorded: this.unrecorded }
    const outcome = step(this.state, command, moment)
    this.rows.push(...outcome.rows)
    return outcome
  }

  createOrg(name: string): Outcome {
    return this.do({ kind: 'org.create', actor: ACTOR, name })
  }

  mint(changes: Partial<Extract<Command, { kind: 'token.mint' }>> = {}): Outcome {
    const defaults = { org: 'acme', subject: 'somebody', caveats: [], ttlSeconds: 60 }
    return this.do({ kind: 'token.mint', actor: ACTOR, ...defaults, ...changes })
  }
}

/** All of a state that can be compared: a refused command must leave it as it was. */
export function imageOf(state: AuthorityState): string {
  const { size: revoked } = state.revocations
  const maps = { orgs: [...state.orgs], keys: [...state.keys], thirdParties: [...state.thirdParties] }
  const plain = { ...state, ...maps, requests: [...state.requests], undo: state.undo.length, revoked }
  return JSON.stringify(plain)
}
