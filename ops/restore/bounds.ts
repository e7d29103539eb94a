/**
 * Pure: limits the numbers that no signature covers: issue clock, longest lease, epoch, transaction, cut-off. A number beyond
 * its bound is left out and its source is named; the revocations from that source still count. Without the bounds one false
 * number would be permanent, because these numbers only rise (S13).
 */
import { CLOCK_JUMP_MS_MAX, LEASE_MS_MAX } from '../../shared/limits.ts'
import { timeText } from './describe.ts'
import type { Evidence } from './evidence.ts'

/** No cluster has so many epochs, or so many transactions, of which only one place knows. */
const EPOCHS_BEYOND_MAX = 1_000
const TXIDS_BEYOND_MAX: number = 2 ** 40
/** A cut-off's key begins with its time, a big-endian 64-bit number; the subject follows. */
const TIME_BYTES = 8

/** The evidence with every impossible number left out. */
export interface BoundedEvidence {
  readonly evidence: readonly Evidence[]
  readonly remarks: readonly string[]
  /** Cut-offs of the future that were limited to now, in words. Each needs the operator's `--yes`. */
  readonly unread: readonly string[]
}

/** `highest` is the highest epoch and transaction that the archive knows. */
export function withinBounds(
  evidence: readonly Evidence[],
  { nowMs, highest }: { readonly nowMs: number; readonly highest: { readonly epoch: number; readonly txid: number } },
): BoundedEvidence {
  const remarks: string[] = []
  const unread: string[] = []
  const latestMs = nowMs + CLOCK_JUMP_MS_MAX
  const bounded = evidence.map((one) => {
    // The authority's own numbers need no bound: it would not have signed an impossible one.
    if (one.signed) return one
    const others = evidence
      .filter((other) => other !== one && mayVouch(other))
      .flatMap(({ position }) => position ?? [])
    const epochMax = Math.max(highest.epoch, ...others.map(({ epoch }) => epoch)) + EPOCHS_BEYOND_MAX
    const txidMax = Math.max(highest.txid, ...others.map(({ txid }) => txid)) + TXIDS_BEYOND_MAX
    const { position, issueClockMs, leaseMsMax } = one
    const report = (what: string): void => void remarks.push(`${one.from} reports ${what}`)
    const isClock = issueClockMs <= latestMs
    if (!isClock) report(`that tokens were minted at ${timeText(issueClockMs)}, which is in the future: left out`)
    const isLease = leaseMsMax <= LEASE_MS_MAX
    if (!isLease) report(`leases of ${leaseMsMax} ms, more than can be configured: left out`)
    const isPlace = position === undefined || (position.epoch <= epochMax && position.txid <= txidMax)
    if (!isPlace) report(`epoch ${position.epoch}, transaction ${position.txid}, far beyond all others: left out`)
    return {
      ...one,
      revocations: clamped(one, latestMs, (what) => void unread.push(`${one.from} reports ${what}`)),
      issueClockMs: isClock ? issueClockMs : 0,
      leaseMsMax: isLease ? leaseMsMax : 0,
      position: isPlace ? position : undefined,
    }
  })
  return { evidence: bounded, remarks, unread }
}

/** A running replica only states its numbers, so two of them that lie must not vouch for each other. */
function mayVouch({ signed, source }: Evidence): boolean {
  return signed || source.kind !== 'replica'
}

/** Limits cut-offs to now. The issue clock continues after the latest cut-off, so one in the future would stop all minting. */
function clamped(one: Evidence, latestMs: number, leftOut: (what: string) => void): Evidence['revocations'] {
  return one.revocations.map((columns) => {
    const { kind, key } = columns
    if ((kind !== 'subject' && kind !== 'org') || key === null || typeof key !== 'object') return columns
    const bytes = Buffer.from(key.hex, 'hex')
    if (bytes.length < TIME_BYTES || bytes.readBigUInt64BE(0) <= BigInt(latestMs)) return columns
    leftOut(`a cut-off at ${timeText(Number(bytes.readBigUInt64BE(0)))}, which is in the future: it is limited to now`)
    bytes.writeBigUInt64BE(BigInt(latestMs))
    return { ...columns, key: { hex: bytes.toString('hex') } }
  })
}
