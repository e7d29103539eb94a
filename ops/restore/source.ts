/** What a restore reads: an archive with its manifest, one that litestream wrote, or a stopped replica's folder. */
import { highestClaim } from '../../shared/archive/epoch-claim.ts'
import type { ArchivedFile } from '../../shared/archive/layout.ts'
import { listSegmentFiles } from '../../shared/archive/list-files.ts'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import { MacaroondError } from '../../shared/errors.ts'
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
}

/** Throws archive_missing, archive_damaged, archive_unsigned. */
export async function openSigned(location: string, publicKey: Uint8Array): Promise<ArchiveSource> {
  return readSigned(await openArchive(location, { blocking: true }), publicKey)
}

/** Throws archive_damaged, archive_unsigned. */
export async function readSigned(storage: ArchiveStorage, publicKey: Uint8Array): Promise<ArchiveSource> {
  const manifest = await readManifest(storage, publicKey)
  if (manifest.seq === 0) throw unsigned(storage)
  const claim = await highestClaim(storage, publicKey)
  const files = [...manifest.files.values()]
  const epoch = Math.max(claim?.epoch ?? 0, manifest.epoch ?? 0)
  const txid = Math.max(manifest.head?.txid ?? 0, ...largest(files))
  const written = files.reduce((most, file) => Math.max(most, file.epoch ?? 0), 0)
  return { storage, files, highest: { epoch, txid, written }, head: manifest.head, signed: true }
}

/** Believes whatever is there: the operator said so. */
export async function openUnsigned(location: string): Promise<ArchiveSource> {
  const storage = await openArchive(location, { blocking: true })
  const files = await listSegmentFiles(storage)
  const highest = { epoch: 0, txid: Math.max(0, ...largest(files)), written: 0 }
  return { storage, files, highest, head: undefined, signed: false }
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
