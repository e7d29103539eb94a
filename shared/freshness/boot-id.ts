/** The boot id names one run of a process, so that two processes of one peer can be distinguished. */
import { z } from 'zod'
import type { Entropy } from '../clock.ts'

/** 16 random bytes in hex, new at every start. */
export function newBootId(entropy: Entropy): string {
  return entropy.bytes(16).toString('hex')
}

export const bootId: z.ZodType<string> = z.string().regex(/^[0-9a-f]{32}$/)
