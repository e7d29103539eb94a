/**
 * Judges a history by the promises of ARCHITECTURE.md. Revocations only ever grow and have one writer, so every rule is a
 * comparison of times: no search, and every violation names the events that show it.
 */
import { FALLEN, ISOLATING, type FaultEvent, type HistoryEvent, type RevokeEvent, type VerifyEvent } from './event.ts'
import { type Endings, endingsOf, nameOf } from './revocations.ts'

export interface Bounds {
  /** B: after it nothing accepts what was revoked. Milliseconds. */
  readonly revocationMs: number
  /** How long a region that hears nothing of the primary may go on accepting. */
  readonly leaseMs: number
  /** How much of a lease a region that was just cut surely still has: the lease less a ping and what a machine delays. */
  readonly surelyLeasedMs: number
}

export type Rule = 'S1' | 'S2' | 'S3' | 'S4' | 'S5' | 'S6' | 'S7' | 'S12' | 'V8'

export interface Violation {
  readonly rule: Rule
  readonly what: string
  readonly event: HistoryEvent
}

export interface Verdict {
  readonly violations: readonly Violation[]
  /** Longest time between an acknowledgement and an acceptance begun after it; 0 without one. */
  readonly worstAcceptanceMs: number
  readonly counts: Counts
}

export interface Counts {
  readonly verifications: number
  /** Begun within B of the acknowledgement of what ends the token: on this side acceptance is allowed. */
  readonly insideBound: number
  /** Begun after it. */
  readonly afterBound: number
  readonly afterGlobal: number
  /** Of valid tokens, in a region that was cut off and surely had a lease: how many, and how many were answered. */
  readonly leased: number
  readonly leasedAnswered: number
  /** In a region that was cut off for longer than a lease. */
  readonly unleased: number
}

/** Of `chosen` verifications; what they are judged by is the whole history. */
export function checkHistory(
  events: readonly HistoryEvent[],
  bounds: Bounds,
  chosen: (event: VerifyEvent) => boolean = () => true,
): Verdict {
  const subject = { bounds, endings: endingsOf(events) }
  const verifications = events.filter((event) => event.t === 'verify').filter(chosen)
  const faults = events.filter((event) => event.t === 'fault')
  return {
    violations: [
      ...verifications.flatMap((event) => judgeVerification(event, subject, faults)),
      ...relapses(verifications, subject),
      ...clashes(events.filter((event) => event.t === 'revoke')),
      ...unfenced(events.filter((event) => event.t === 'revoke')),
      ...deaf(events.filter((event) => event.t === 'revoke')),
    ],
    worstAcceptanceMs: verifications.reduce((worst, event) => Math.max(worst, acceptanceMs(event, subject)), 0),
    counts: countsOf(verifications, faults, subject),
  }
}

interface Subject {
  readonly bounds: Bounds
  readonly endings: Endings
}

/** How long after the acknowledgement an accepted verification began; 0 when it began before. */
function acceptanceMs(event: VerifyEvent, { endings }: Subject): number {
  if (event.result !== 'allow') return 0
  return Math.max(0, event.inv - endings.of(event.id, event.inv).ackMs)
}

function judgeVerification(event: VerifyEvent, subject: Subject, faults: readonly FaultEvent[]): readonly Violation[] {
  const { bounds, endings } = subject
  const { begunMs } = endings.of(event.id)
  const { globalMs } = endings.of(event.id, event.inv)
  const found: Violation[] = []
  const violates = (rule: Rule, what: string): void => void found.push({ rule, what, event })
  if (event.result === 'allow') {
    const late = acceptanceMs(event, subject)
    if (late > bounds.revocationMs) violates('S1', `accepted ${late.toFixed(1)} ms after the acknowledgement`)
    if (event.inv > globalMs) violates('S2', 'accepted after a global wait returned')
    if (event.id === undefined || !endings.minted(event.id)) violates('S6', 'accepted, and nobody minted it')
    const cutMs = isolatedFor(event, faults)
    if (cutMs > bounds.leaseMs) violates('S4', `accepted in a region cut off for ${cutMs.toFixed(1)} ms`)
  }
  if (FALLEN.has(event.reason) && event.ret < begunMs) {
    violates('S12', 'refused as revoked, and nobody had asked for that')
  }
  const { minTxid = 0, txid } = event
  if (event.result !== 'unavailable' && txid !== undefined && txid < minTxid) {
    violates('S5', `answered from transaction ${txid}, and ${minTxid} was asked for`)
  }
  return found
}

/** How long the region had heard nothing of the primary when the call began; 0 while it could. */
function isolatedFor({ region, host, inv, ret }: VerifyEvent, faults: readonly FaultEvent[]): number {
  const cut = faults.find(
    ({ kind, target, from, until }) =>
      ISOLATING.has(kind) && (target === region || target === host) && from <= inv && ret <= until,
  )
  return cut === undefined ? 0 : inv - cut.from
}

/** V8: whoever grants leases takes revocations. */
function deaf(revocations: readonly RevokeEvent[]): readonly Violation[] {
  const what = 'refused by a primary that granted leases, for a reason of its own'
  return revocations.filter(({ granted }) => granted === true).map((event) => ({ rule: 'V8', what, event }))
}

/** S3: but for what an operator gives up, what a node has refused as revoked it never accepts again, nor does anybody else after its answer was used there. */
function relapses(verifications: readonly VerifyEvent[], { endings }: Subject): readonly Violation[] {
  const refused = new Map<string, number>()
  const found: Violation[] = []
  const keyOf = ({ node, id }: VerifyEvent): string => `${node} ${id ?? ''}`
  for (const event of verifications.toSorted((a, b) => a.ret - b.ret)) {
    if (FALLEN.has(event.reason) && !refused.has(keyOf(event))) refused.set(keyOf(event), event.ret)
    const since = refused.get(keyOf(event)) ?? Infinity
    if (event.result === 'allow' && event.inv > since && !endings.forgotten(event.id, since, event.inv)) {
      found.push({ rule: 'S3', what: `accepted by a node that had refused it as revoked`, event })
    }
  }
  return found
}

/** S7: one place in the log belongs to one revocation, and later calls get later places. */
function clashes(revocations: readonly RevokeEvent[]): readonly Violation[] {
  const placed = revocations.filter(({ result, seq }) => result === 'ok' && seq !== undefined)
  const owners = new Map<string, string>()
  const found: Violation[] = []
  let last: RevokeEvent | undefined
  for (const event of placed.toSorted((a, b) => a.ret - b.ret)) {
    const place = `${event.epoch ?? 0}.${event.seq ?? 0}`
    const name = nameOf(event.named)
    const owner = owners.get(place)
    if (owner !== undefined && owner !== name) {
      found.push({ rule: 'S7', what: `place ${place} belongs to ${owner} as well`, event })
    }
    if (last !== undefined && event.inv > last.ret && owner === undefined && isBefore(event, last)) {
      found.push({ rule: 'S7', what: `place ${place} was given after a later one`, event })
    }
    owners.set(place, name)
    last = event
  }
  return found
}

/**
 * S7: once a higher epoch has acknowledged a revocation, every replica has seen it: nothing that a lower one says after that is
 * more than its own word.
 */
function unfenced(revocations: readonly RevokeEvent[]): readonly Violation[] {
  const answered = revocations.filter(({ epoch, wait }) => epoch !== undefined && wait !== 'local')
  const epochs = [...new Set(answered.map(({ epoch = 0 }) => epoch))].toSorted((a, b) => a - b)
  return epochs.slice(1).flatMap((higher) => {
    const own = answered.filter(({ epoch, result }) => epoch === higher && result === 'ok')
    const sinceMs = Math.min(...own.map(({ ret }) => ret))
    const late = answered.filter(({ epoch = 0, inv }) => epoch < higher && inv > sinceMs)
    return late.map((event) => ({ rule: 'S7', what: `epoch ${event.epoch} acknowledges after ${higher} did`, event }))
  })
}

function isBefore(a: RevokeEvent, b: RevokeEvent): boolean {
  const [epochs, seqs] = [(a.epoch ?? 0) - (b.epoch ?? 0), (a.seq ?? 0) - (b.seq ?? 0)]
  return epochs < 0 || (epochs === 0 && seqs < 0)
}

function countsOf(verifications: readonly VerifyEvent[], faults: readonly FaultEvent[], subject: Subject): Counts {
  const { bounds, endings } = subject
  const sinceAck = (event: VerifyEvent): number => event.inv - endings.of(event.id).ackMs
  const count = (holds: (event: VerifyEvent) => boolean): number => verifications.filter(holds).length
  const valid = (event: VerifyEvent): boolean =>
    event.id !== undefined && endings.minted(event.id) && event.ret < endings.of(event.id).begunMs
  const leased = verifications.filter((event) => {
    const cutMs = isolatedFor(event, faults)
    return cutMs > 0 && cutMs + (event.ret - event.inv) < bounds.surelyLeasedMs && valid(event)
  })
  return {
    verifications: verifications.length,
    insideBound: count((event) => sinceAck(event) > 0 && sinceAck(event) <= bounds.revocationMs),
    afterBound: count((event) => sinceAck(event) > bounds.revocationMs),
    afterGlobal: count((event) => event.inv > endings.of(event.id).globalMs),
    leased: leased.length,
    leasedAnswered: leased.filter(({ result }) => result !== 'unavailable').length,
    unleased: count((event) => isolatedFor(event, faults) > bounds.leaseMs),
  }
}
