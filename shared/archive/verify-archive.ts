/** Reads every file of an archive and compares it with the manifest. The manifest itself was checked when it was read. */
import { MacaroondError } from '../errors.ts'
import type { ArchivedFile } from './layout.ts'
import { listSegmentFiles, streamSegmentFile } from './read-file.ts'
import { restorableRanges } from './restore-plan.ts'
import { type ArchiveStorage, inParallel } from './storage.ts'

export interface BadFile {
  readonly key: string
  readonly problem: string
}

export interface Verified {
  readonly files: number
  readonly bytes: number
  /** Ascending by txid. */
  readonly bad: readonly BadFile[]
  /** Keys of files that the manifest does not name. No restore reads them. */
  readonly unlisted: readonly string[]
  /** The ranges that can be restored without the bad files. */
  readonly restorable: ReturnType<typeof restorableRanges>
}

const AT_ONCE = 4

/** Reports damaged and missing files in the result. Throws if the store cannot be reached. */
export async function verifyArchive(
  storage: ArchiveStorage,
  files: readonly ArchivedFile[],
  onFile: () => void,
): Promise<Verified> {
  const ordered = files.toSorted((a, b) => a.minTxid - b.minTxid || a.maxTxid - b.maxTxid)
  const found = await inParallel(ordered, AT_ONCE, async (file) => {
    const problem = await problemOf(storage, file)
    onFile()
    return problem === undefined ? [] : [{ key: file.key, problem }]
  })
  const listed = new Set(files.map(({ key }) => key))
  const unlisted = (await listSegmentFiles(storage)).map(({ key }) => key).filter((key) => !listed.has(key))
  const bad = found.flat()
  const isBad = new Set(bad.map(({ key }) => key))
  const restorable = restorableRanges(ordered.filter(({ key }) => !isBad.has(key)))
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { files: files.length, bytes, bad, unlisted, restorable }
}

async function problemOf(storage: ArchiveStorage, file: ArchivedFile): Promise<string | undefined> {
  try {
    await streamSegmentFile(storage, file, { onPage: () => undefined })
    return undefined
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return error.message
    throw error
  }
}
