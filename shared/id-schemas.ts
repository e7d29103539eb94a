/**
 * Schemas of ids in messages, documents and options from outside. They stand apart from the ids, because programs of holders
 * load the ids and no zod.
 */
import { z } from 'zod'
import { TIMELINE_FORM } from './ids.ts'
import { ORG_CHARS_MAX } from './limits.ts'

/** Schema of a timeline in a message or document from outside. */
export const timelineText: z.ZodString = z.string().regex(TIMELINE_FORM, 'a timeline is 32 lowercase hex digits')

export const orgName: z.ZodString = z
  .string()
  .max(ORG_CHARS_MAX)
  .regex(/^[a-z0-9][a-z0-9._-]*$/, 'an org name has a-z, 0-9, . _ -, and starts with a letter or digit')
