import { z } from 'zod'
import { TIMELINE_FORM } from '../ids.ts'

/** A timeline in what comes from outside. */
export const timelineText: z.ZodString = z.string().regex(TIMELINE_FORM, 'a timeline is 32 lowercase hex digits')
