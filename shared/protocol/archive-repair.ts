/** The `archive.repair` call on the `admin` channel: reports losses in an archive, and takes the operator's confirmation. */
import { z } from 'zod'
import type { RestorePoint } from '../archive/restore-plan.ts'

export const archiveRepairParams: z.ZodType<{ readonly confirm: boolean }> = z.strictObject({ confirm: z.boolean() })

/** The losses of one archive, and the transactions that it can still restore. */
export interface ArchiveDamage {
  /** Faults of the manifest, in words. */
  readonly problems: readonly string[]
  /** Number of files that the manifest names and that are missing, or that only entries name which do not count. */
  readonly filesLost: number
  readonly restorable: readonly { readonly first: RestorePoint; readonly last: RestorePoint }[]
}

export interface ArchiveRepairPlace {
  readonly location: string
  /** Null if the manifest is complete. */
  readonly wound: ArchiveDamage | null
  /** A repaired loss that no operator has acknowledged yet, in words; empty if there is none. */
  readonly repaired: string
}

export interface ArchiveRepairAnswer {
  readonly places: readonly ArchiveRepairPlace[]
}
