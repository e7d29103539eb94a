import { z } from 'zod'
import type { Entropy } from '../clock.ts'

/** Names a process among those that its peer has had: 16 random bytes in hex, new at every start. */
export function newBootId(entropy: Entropy): string {
  return entropy.bytes(16).toString('hex')
}

export const bootId: z.ZodType<string> = z.string().regex(/^[0-9a-f]{32}$/)
