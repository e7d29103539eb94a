/**
 * Pure: numbers that no signature covers are believed within bounds only. One that is beyond them is left out and its teller is
 * named; the revocations that came with it are read. A number that only rises could never be taken back (S13).
 */
import { CLOCK_JUMP_MS_MAX, LEASE_MS_MAX } from '../../shared/limits.ts'
import { timeText } from './describe.ts'
import type { Evidence } from './evidence.ts'

/** No cluster has begun so many epochs, or committed so many transactions, that nobody else knows of. */
const EPOCHS_BEYOND_MAX = 1_000
const TXIDS_BEYOND_MAX: number = 2 ** 40
/** Of a cut-off, before the subject. */
const TIME_BYTES = 8

export interface BoundedEvidence {
  readonly evidence: readonly Evidence[]
  readonly remarks: readonly string[]
  /** Cut-offs that were made to end now, in words: each needs the operator's yes. */
  readonly unread: readonly string[]
}

/** `highest`: what the archive's signed documents and the restored database know. */
export function withinBounds(
  evidence: readonly Evidence[],
  { nowMs, highest }: { readonly nowMs: number; readonly highest: { readonly epoch: number; readonly txid: number } },
): BoundedEvidence {
  const remarks: string[] = []
  const unread: string[] = []
  const latestMs = nowMs + CLOCK_JUMP_MS_MAX
  const bounded = evidence.map((one) => {
    if (one.signed) return one
    const others = evidence.filter((other) => other !== one).flatMap(({ position }) => position ?? [])
    const epochMax = Math.max(highest.epoch, ...others.map(({ epoch }) => epoch)) + EPOCHS_BEYOND_MAX
    const txidMax = Math.max(highest.txid, ...others.map(({ txid }) => txid)) + TXIDS_BEYOND_MAX
    const { position, issueClockMs, leaseMsMax } = one
    const tells = (what: string): void => void remarks.push(`${one.from} tells ${what}`)
    const isClock = issueClockMs <= latestMs
    if (!isClock) tells(`that tokens were minted at ${timeText(issueClockMs)}, which is still to come: left out`)
    const isLease = leaseMsMax <= LEASE_MS_MAX
    if (!isLease) tells(`of leases of ${leaseMsMax} ms, more than can be configured: left out`)
    const isPlace = position === undefined || (position.epoch <= epochMax && position.txid <= txidMax)
    if (!isPlace) tells(`of epoch ${position.epoch}, transaction ${position.txid}, far beyond all others: left out`)
    return {
      ...one,
      revocations: clamped(one, latestMs, (what) => void unread.push(`${one.from} tells ${what}`)),
      issueClockMs: isClock ? issueClockMs : 0,
      leaseMsMax: isLease ? leaseMsMax : 0,
      position: isPlace ? position : undefined,
    }
  })
  return { evidence: bounded, remarks, unread }
}

/** The issue clock goes on after the latest cut-off: one of the future would end all minting. */
function clamped(one: Evidence, latestMs: number, leftOut: (what: string) => void): Evidence['revocations'] {
  return one.revocations.map((columns) => {
    const { kind, key } = columns
    if ((kind !== 'subject' && kind !== 'org') || key === null || typeof key !== 'object') return columns
    const bytes = Buffer.from(key.hex, 'hex')
    if (bytes.length < TIME_BYTES || bytes.readBigUInt64BE(0) <= BigInt(latestMs)) return columns
    leftOut(
      `of a cut-off at ${timeText(Number(bytes.readBigUInt64BE(0)))}, which is still to come: it reaches up to now`,
    )
    bytes.writeBigUInt64BE(BigInt(latestMs))
    return { ...columns, key: { hex: bytes.toString('hex') } }
  })
}
