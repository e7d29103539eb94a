/**
 * The call `whoami` on the `sign` channel of the primary and the `verify` channel of a replica: the caller as the node sees it.
 */
import { z } from 'zod'
import { ROLES, type Role } from '../channel/roles.ts'

export interface WhoamiResult {
  readonly peerId: string
  /** Name in the configuration of the node; null for a peer that it does not list. */
  readonly name: string | null
  /** `guest`: unlisted, at a replica whose `verify` channel is open to all. */
  readonly role: Role | 'guest'
  /** Orgs that the caller may act for at this node; `*` for all. */
  readonly orgs: readonly string[]
  readonly node: 'primary' | 'replica'
  /** Region of the node; null for the primary. */
  readonly region: string | null
}

export const whoamiResult: z.ZodType<WhoamiResult> = z.object({
  peerId: z.string().max(128),
  name: z.string().max(256).nullable(),
  role: z.enum([...ROLES, 'guest']),
  orgs: z.array(z.string().max(128)).max(10_000),
  node: z.enum(['primary', 'replica']),
  region: z.string().max(64).nullable(),
})
