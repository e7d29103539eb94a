/** Opens the archive that a restore reads: a signed one with a manifest, or an unsigned one, such as litestream writes. */
import { highestClaim } from '../../shared/archive/epoch-claim.ts'
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { listSegmentFiles } from '../../shared/archive/read-file.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { filesThere, highestClaimedName, salvageManifest } from '../../shared/archive/salvage.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ArchivedChecksums } from './comparison.ts'
import type { Position } from '../../shared/position.ts'

/** The highest numbers that an archive knows. A new epoch begins beyond them. */
export interface Highest {
  readonly epoch: number
  readonly txid: number
  /** The highest epoch with transactions in the archive. A higher claimed epoch may have transactions elsewhere. */
  readonly written: number
}

/** An archive, as far as its manifest or its file names could be read. */
export interface ArchiveSource {
  readonly storage: ArchiveStorage
  readonly files: readonly ArchivedFile[]
  /** The highest epoch that is claimed or written, and the highest transaction. */
  readonly highest: Highest
  /** The newest position in the manifest; undefined if there is no manifest. */
  readonly head: Position | undefined
  readonly signed: boolean
  /** The damage of the manifest, in words; empty if it is whole. */
  readonly manifestDamage: readonly string[]
}

/** Throws archive_missing, archive_damaged, archive_unsigned. */
export async function openSigned(location: string, publicKey: Uint8Array): Promise<ArchiveSource> {
  return readSigned(await openArchive(location, { blocking: true }), publicKey)
}

/** Reads as much as possible of a damaged manifest. Throws archive_damaged if nothing can be read, archive_unsigned. */
export async function readSigned(storage: ArchiveStorage, publicKey: Uint8Array): Promise<ArchiveSource> {
  const { state, problems } = await salvageManifest(storage, publicKey)
  if (state.seq === 0) throw unsigned(storage)
  const isWhole = problems.length === 0
  // A damaged manifest may have lost the newest claim's entry, so the names of the claims count too: they can only raise the
  // epoch.
  const claimed = isWhole ? (await highestClaim(storage, publicKey))?.epoch : await highestClaimedName(storage)
  const files = isWhole ? [...state.files.values()] : await filesThere(storage, state.files.values())
  const epoch = Math.max(claimed ?? 0, state.epoch ?? 0)
  const txid = Math.max(state.head?.txid ?? 0, ...largest(files))
  const written = files.reduce((most, file) => Math.max(most, file.epoch ?? 0), 0)
  const highest = { epoch, txid, written }
  return { storage, files, highest, head: state.head, signed: true, manifestDamage: problems }
}

/** Opens an archive without a manifest and believes its files, because the operator gave `--unsigned`. */
export async function openUnsigned(location: string): Promise<ArchiveSource> {
  const storage = await openArchive(location, { blocking: true })
  const files = await listSegmentFiles(storage)
  const highest = { epoch: 0, txid: Math.max(0, ...largest(files)), written: 0 }
  return { storage, files, highest, head: undefined, signed: false, manifestDamage: [] }
}

/** The largest transaction in a list of one, or an empty list. Spreading one per file could overflow the stack. */
function largest(files: readonly ArchivedFile[]): readonly number[] {
  return files.length === 0 ? [] : [files.reduce((most, { maxTxid }) => Math.max(most, maxTxid), 0)]
}

function unsigned({ location }: ArchiveStorage): MacaroondError {
  return new MacaroondError(
    'archive_unsigned',
    `${location} has no manifest, so nothing proves that it is whole or whose it is`,
    {
      hint: 'if litestream wrote it, or the manifest is lost and you trust everybody who can write there: --unsigned',
    },
  )
}

/** Checksums that a signed archive has, by epoch and transaction. */
export function archivedIn(archive: ArchiveSource | undefined): ArchivedChecksums {
  const files = archive?.signed === true ? archive.files : []
  const checksums = new Map(files.map(({ epoch, maxTxid, postApply }) => [`${epoch}.${maxTxid}`, postApply]))
  return ({ epoch, txid }) => checksums.get(`${epoch}.${txid}`)
}
