/** What a restore reads: an archive with its manifest, one that litestream wrote, or a stopped replica's folder. */
import { highestClaim } from '../../shared/archive/epoch-claim.ts'
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { listSegmentFiles } from '../../shared/archive/list-files.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { filesThere, highestClaimedName, salvageManifest } from '../../shared/archive/salvage.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Archived } from './comparison.ts'
import type { Position } from '../../shared/position.ts'

export interface Highest {
  readonly epoch: number
  readonly txid: number
  /** The highest epoch whose transactions were seen: one that is only claimed may have some, too. */
  readonly written: number
}

export interface ArchiveSource {
  readonly storage: ArchiveStorage
  readonly files: readonly ArchivedFile[]
  /** The highest anybody has claimed or written. */
  readonly highest: Highest
  /** What the manifest says is the newest; undefined where there is none. */
  readonly head: Position | undefined
  readonly signed: boolean
  /** What is wrong with the manifest, in words; empty for one that is whole. */
  readonly wounds: readonly string[]
}

/** Throws archive_missing, archive_damaged, archive_unsigned. */
export async function openSigned(location: string, publicKey: Uint8Array): Promise<ArchiveSource> {
  return readSigned(await openArchive(location, { blocking: true }), publicKey)
}

/** Of a damaged manifest as much as can be read. Throws archive_damaged where nothing can, archive_unsigned. */
export async function readSigned(storage: ArchiveStorage, publicKey: Uint8Array): Promise<ArchiveSource> {
  const { state, problems } = await salvageManifest(storage, publicKey)
  if (state.seq === 0) throw unsigned(storage)
  const isWhole = problems.length === 0
  const claimed = isWhole ? (await highestClaim(storage, publicKey))?.epoch : await highestClaimedName(storage)
  const files = isWhole ? [...state.files.values()] : await filesThere(storage, state.files.values())
  const epoch = Math.max(claimed ?? 0, state.epoch ?? 0)
  const txid = Math.max(state.head?.txid ?? 0, ...largest(files))
  const written = files.reduce((most, file) => Math.max(most, file.epoch ?? 0), 0)
  const highest = { epoch, txid, written }
  return { storage, files, highest, head: state.head, signed: true, wounds: problems }
}

/** Believes whatever is there: the operator said so. */
export async function openUnsigned(location: string): Promise<ArchiveSource> {
  const storage = await openArchive(location, { blocking: true })
  const files = await listSegmentFiles(storage)
  const highest = { epoch: 0, txid: Math.max(0, ...largest(files)), written: 0 }
  return { storage, files, highest, head: undefined, signed: false, wounds: [] }
}

/** One number, or none: spreading every file's would overflow the stack. */
function largest(files: readonly ArchivedFile[]): readonly number[] {
  return files.length === 0 ? [] : [files.reduce((most, { maxTxid }) => Math.max(most, maxTxid), 0)]
}

function unsigned({ location }: ArchiveStorage): MacaroondError {
  return new MacaroondError(
    'archive_unsigned',
    `${location} has no manifest, so nothing says that it is whole or whose it is`,
    {
      hint: 'if litestream wrote it, or the manifest is lost and you trust whoever can write there: --unsigned',
    },
  )
}

/** Checksums that a signed archive has, by epoch and transaction. */
export function archivedIn(archive: ArchiveSource | undefined): Archived {
  const files = archive?.signed === true ? archive.files : []
  const checksums = new Map(files.map(({ epoch, maxTxid, postApply }) => [`${epoch}.${maxTxid}`, postApply]))
  return ({ epoch, txid }) => checksums.get(`${epoch}.${txid}`)
}
