/**
 * Calls on the `sign` channel, for operators: revocations of undone histories that replicas refuse by and the primary does not
 * have. They are named by their history and number, never by token.
 */
import { timelineText } from '../ids.ts'
import { z } from 'zod'
import { DENIALS_CALL_MAX, REASON_CHARS_MAX } from '../limits.ts'
import type { Reached, RevocationDescription } from './revoke.ts'

/** Why the primary does not take it over by itself. */
export type WhyWaiting =
  | 'restored without revocations'
  | 'kind'
  | 'later than the issue clock'
  | 'too many'
  | 'unknown kind'
  | 'unsigned'

export interface PendingRevocation extends Partial<Omit<RevocationDescription, 'seq'>> {
  /** The history that was undone, and the number there. */
  readonly timeline: string
  readonly epoch: number
  readonly seq: number
  readonly why: WhyWaiting
  /** Names of the replicas that refuse by it. */
  readonly replicas: readonly string[]
}

/** Those of one history, or of all; `first` and `last` are numbers there, both included. */
export interface PendingSelection {
  readonly timeline?: string | undefined
  readonly first?: number | undefined
  readonly last?: number | undefined
}

const number = z.number().int().positive()
const selection = { timeline: timelineText.optional(), first: number.optional(), last: number.optional() }
const needsTimeline = ({ timeline, first, last }: PendingSelection): boolean =>
  timeline !== undefined || (first === undefined && last === undefined)
const NEEDS_TIMELINE = 'numbers go with their timeline'

export interface PendingParams {
  readonly limit: number
}

export const pendingParams: z.ZodType<PendingParams> = z.strictObject({
  limit: z.number().int().min(1).max(DENIALS_CALL_MAX),
})

export interface PendingResult {
  readonly revocations: readonly PendingRevocation[]
  /** Of all, as far as replicas have told: what they have not told yet counts as well. */
  readonly waiting: number
}

export type AdoptParams = PendingSelection

export const adoptParams: z.ZodType<AdoptParams> = z.strictObject(selection).refine(needsTimeline, NEEDS_TIMELINE)

export interface AdoptResult extends Reached {
  readonly adopted: number
  readonly seq: number
  readonly position: string
  /** What waits still: repeat the call until nothing is adopted any more. */
  readonly waiting: number
}

export interface ForgetParams extends PendingSelection {
  readonly reason: string
}

export const forgetParams: z.ZodType<ForgetParams> = z
  .strictObject({ ...selection, reason: z.string().max(REASON_CHARS_MAX) })
  .refine(needsTimeline, NEEDS_TIMELINE)

export interface ForgetResult {
  /** Numbers that were given up. */
  readonly forgotten: number
  readonly position: string
  readonly waiting: number
}
