/** Checks the parameters of a call. */
import type { z } from 'zod'
import { MacaroondError } from '../errors.ts'
import { IN_SENTENCES } from '../schema-sentences.ts'

/** Returns the parsed parameters. Throws request_invalid, with the name of the field. */
export function params<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value, IN_SENTENCES)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new MacaroondError(
    'request_invalid',
    `${issue?.path.join('.') || 'parameters'}: ${issue?.message ?? 'is not valid'}`,
  )
}
