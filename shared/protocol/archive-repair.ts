/** The call `archive.repair` on the `admin` channel: what is lost in an archive, and the operator's word that it is known. */
import { z } from 'zod'
import type { RestorePoint } from '../archive/restore-plan.ts'

export const archiveRepairParams: z.ZodType<{ readonly confirm: boolean }> = z.strictObject({ confirm: z.boolean() })

export interface ArchiveWound {
  /** What is wrong with the manifest, in words. */
  readonly problems: readonly string[]
  /** Files that the manifest names and that are not there. */
  readonly filesLost: number
  readonly restorable: readonly { readonly first: RestorePoint; readonly last: RestorePoint }[]
}

export interface ArchiveRepairPlace {
  readonly location: string
  /** Null where the manifest is whole. */
  readonly wound: ArchiveWound | null
  /** What was repaired, and no operator has seen; empty for nothing. */
  readonly repaired: string
}

export interface ArchiveRepairAnswer {
  readonly places: readonly ArchiveRepairPlace[]
}
