/** Proves that uploads reach the archive: reads the newest objects back, as a restore would. */
import { type ArchivedFile, manifestKey } from '../../../shared/archive/layout.ts'
import { hashOfEntry } from '../../../shared/archive/manifest.ts'
import { missingEntry } from '../../../shared/archive/read-chain.ts'
import { streamSegmentFile } from '../../../shared/archive/read-file.ts'
import { getWhole } from '../../../shared/archive/storage.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch } from '../../../shared/ids.ts'
import type { UploadOptions } from './upload.ts'

export interface Proven {
  /** Epochs whose claim was missing. It has been written again. */
  readonly claimsMissing: readonly Epoch[]
}

/**
 * Reads back the claims of the chain's epochs, the newest entry, and the file with the newest transaction. It also checks that
 * no entry is missing, and that the next epoch is not claimed. Throws archive_fenced, archive_damaged.
 */
export async function proveArrival({
  storage,
  manifest,
}: Pick<UploadOptions, 'storage' | 'manifest'>): Promise<Proven> {
  const claimsMissing = await manifest.ensureClaims()
  const [lost] = await manifest.lostEntries()
  if (lost !== undefined) throw missingEntry(storage, lost)
  const { seq, previous, files } = manifest.state
  const key = manifestKey(seq)
  if (hashOfEntry(await getWhole(storage, key)) !== previous) {
    throw new MacaroondError('archive_damaged', `${key} is not what this primary wrote`, {
      hint: 'another program changes the archive, or its storage loses writes: run `macaroond archive verify`',
    })
  }
  const committed = [...files.values()].filter(({ minTxid }) => minTxid > 1)
  const newest = committed.reduce<ArchivedFile | undefined>(
    (most, file) => (most === undefined || file.maxTxid > most.maxTxid ? file : most),
    undefined,
  )
  if (newest !== undefined) await streamSegmentFile(storage, newest, { onPage: () => undefined })
  return { claimsMissing }
}
