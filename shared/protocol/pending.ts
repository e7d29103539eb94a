/**
 * Calls on the `sign` channel, for operators, about denials: revocations of undone histories that replicas enforce and the
 * primary does not have. They are named by history and number, never by token.
 */
import { timelineText } from '../id-schemas.ts'
import { z } from 'zod'
import { DENIALS_CALL_MAX, REASON_CHARS_MAX } from '../limits.ts'
import type { Reached, RevocationDescription } from './revoke.ts'

/** The reason why the primary does not adopt a denial without an operator. */
export type WhyWaiting =
  | 'restored without revocations'
  | 'kind'
  | 'later than the issue clock'
  | 'too many'
  | 'unknown kind'
  | 'unsigned'

export interface PendingRevocation extends Partial<Omit<RevocationDescription, 'seq'>> {
  /** Timeline of the undone history; `epoch` and `seq` are the revocation's epoch and number there. */
  readonly timeline: string
  readonly epoch: number
  readonly seq: number
  readonly why: WhyWaiting
  /** Names of the replicas that enforce it. */
  readonly replicas: readonly string[]
}

/** Selects the denials of one history, or all. `first` and `last` are numbers in that history, both included. */
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
  /** Number of all waiting denials, including those that replicas have counted but not sent yet. */
  readonly waiting: number
}

export type AdoptParams = PendingSelection

export const adoptParams: z.ZodType<AdoptParams> = z.strictObject(selection).refine(needsTimeline, NEEDS_TIMELINE)

export interface AdoptResult extends Reached {
  readonly adopted: number
  readonly seq: number
  readonly position: string
  /** Number of denials that still wait. Repeat the call until it adopts none. */
  readonly waiting: number
}

export interface ForgetParams extends PendingSelection {
  readonly reason: string
}

export const forgetParams: z.ZodType<ForgetParams> = z
  .strictObject({ ...selection, reason: z.string().max(REASON_CHARS_MAX) })
  .refine(needsTimeline, NEEDS_TIMELINE)

export interface ForgetResult {
  /** Number of revocations that were given up. */
  readonly forgotten: number
  readonly position: string
  readonly waiting: number
}
