/**
 * Rebuilds the pages of a damaged database from one of two sources: its own file, overwritten with the newest image of each
 * page in the segment log; or the newest database in the archive, followed by the log's transactions. Either result counts
 * only if it has the checksum that was recorded when its last transaction was committed.
 */
import { copyFileSync, existsSync } from 'node:fs'
import { chainTo } from '../../shared/archive/chain.ts'
import { rebuildDatabase } from '../../shared/archive/rebuild.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Checksum, checksumText, type Txid, txid as asTxid } from '../../shared/ids.ts'
import type { SegmentHeader } from '../../shared/ltx/header.ts'
import { comparePositions, type Position } from '../../shared/position.ts'
import { storageError } from '../../shared/files/storage-errors.ts'
import type { RebuiltPages } from '../restore/repaired.ts'
import type { NodeCopy } from '../restore/scratch.ts'
import type { ArchiveSource } from '../restore/source.ts'
import type { DamagedLog } from './damaged-log.ts'
import { PagesFile } from './pages-file.ts'
import { applyWalRest, applyWalUpToLog, metaOf } from './wal-rest.ts'

/** The sources of a repair, all of them copies or read-only. */
export interface RebuildPagesOptions {
  readonly copy: NodeCopy
  readonly log: DamagedLog
  readonly archive: ArchiveSource | undefined
  /** The path of a work file with this name. */
  readonly scratch: (name: string) => string
}

/** Rebuilt pages whose checksum is the recorded one. */
interface Candidate {
  readonly path: string
  readonly position: Position
  /** The sources, in words for the operator. */
  readonly used: string
}

/** Throws database_corrupt if no source gives the pages back, archive_fenced. */
export async function rebuildPages(options: RebuildPagesOptions): Promise<RebuiltPages> {
  const { archive, log, copy } = options
  requireOwnEpoch(options)
  const tried: string[] = []
  // The primary's own file first: it needs no download, and usually only a few pages are damaged.
  const own = fromOwnFile(options, tried) ?? (await attempt(() => fromArchiveAndLog(options, tried), tried))
  const rebuilt = own === undefined ? undefined : withWalRest(options, own)
  const head = archive?.head
  // If the archive is ahead, the log has lost its end, and the archive's state is the newer one.
  if (rebuilt !== undefined && (head === undefined || comparePositions(head, rebuilt.position) <= 0)) return rebuilt
  const archived = archive && (await attempt(() => fromArchive(options, archive, tried), tried))
  if (archived !== undefined) return { ...withClaims(options, archived, { foreign: 0 }), isNewest: false }
  if (rebuilt !== undefined) return rebuilt
  const which = existsSync(copy.database) ? 'the damaged database' : 'a database that is gone'
  throw new MacaroondError(
    'database_corrupt',
    `no source has the pages of ${which}: ${[...tried, ...log.remarks].join('; ')}`,
    {
      hint: 'stop a replica and restore from its copy: `macaroond restore --from-replica FOLDER --old-data` with this data folder',
    },
  )
}

/** Runs `read`. An error of the archive is noted in `tried`, and the next source is tried; other errors are thrown. */
async function attempt<T>(read: () => Promise<T | undefined>, tried: string[]): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof MacaroondError) || !error.code.startsWith('archive_')) throw error
    tried.push(error.message)
    return undefined
  }
}

/** Throws archive_fenced if a primary of a later epoch has written the archive: then this disk must not be repaired. */
function requireOwnEpoch({ archive, log, copy }: RebuildPagesOptions): void {
  const own = log.newest?.epoch ?? (existsSync(copy.database) ? metaOf(copy.database)?.epoch : undefined)
  const archived = archive?.head?.epoch
  if (own === undefined || archived === undefined || archived <= own) return
  throw new MacaroondError(
    'archive_fenced',
    `this disk is of epoch ${own}, and a primary of epoch ${archived} has written the archive`,
    {
      hint: 'continue with that primary; if its disk is lost, `macaroond restore` with `--old-data` and this data folder',
    },
  )
}

/**
 * The damaged file with the newest image of each page in the log on top. The log goes back far enough if every damaged page was
 * written since its first transaction; the checksum shows whether that is so.
 */
function fromOwnFile({ copy, log, scratch }: RebuildPagesOptions, tried: string[]): Candidate | undefined {
  const { newest } = log
  if (!existsSync(copy.database) || newest === undefined) {
    tried.push(newest === undefined ? 'there is no log' : 'the database is not there')
    return undefined
  }
  const path = scratch('own.db')
  copyFile(copy.database, path)
  applyWalUpToLog(copy.database, path, newest)
  const found = applyLog(path, log, log.first)
  if (found === newest.postApply) {
    const used = `pages of the damaged file, overwritten by transactions ${log.first} to ${newest.maxTxid} of its log`
    return { path, position: positionOf(newest), used }
  }
  tried.push(`its file with its log gives checksum ${checksumText(found)}, not what the log recorded`)
  return undefined
}

/** The newest state in the archive from which the log continues without a gap, with the log's transactions on top. */
async function fromArchiveAndLog(options: RebuildPagesOptions, tried: string[]): Promise<Candidate | undefined> {
  const { archive, log, scratch } = options
  const { newest } = log
  if (archive === undefined || newest === undefined) return undefined
  const chain = chainTo(archive.files, newest.maxTxid)
  if (chain === undefined || chain.reaches + 1 < log.first) {
    tried.push('the archive ends before the log begins')
    return undefined
  }
  const path = scratch('archive-and-log.db')
  await rebuildDatabase({ storage: archive.storage, files: chain.files, path })
  const from = asTxid(chain.reaches + 1)
  const found = applyLog(path, log, from)
  if (found === newest.postApply) {
    const rest = from <= newest.maxTxid ? `, and transactions ${from} to ${newest.maxTxid} from the log` : ''
    return { path, position: positionOf(newest), used: `transactions 1 to ${chain.reaches} from the archive${rest}` }
  }
  tried.push(`the archive with the log gives checksum ${checksumText(found)}, not what the log recorded`)
  return undefined
}

/** The archive's newest state alone, for a log that is lost. */
async function fromArchive(
  { scratch }: RebuildPagesOptions,
  { storage, files, head }: ArchiveSource,
  tried: string[],
): Promise<Candidate | undefined> {
  const chain = head === undefined ? undefined : chainTo(files, head.txid)
  if (head === undefined || chain?.reaches !== head.txid) {
    tried.push('the archive has no whole database of its newest state')
    return undefined
  }
  const path = scratch('archived.db')
  const { checksum } = await rebuildDatabase({ storage, files: chain.files, path })
  if (checksum === head.checksum)
    return { path, position: head, used: `transactions 1 to ${head.txid} from the archive` }
  tried.push(`the archive gives checksum ${checksumText(checksum)}, its manifest says ${checksumText(head.checksum)}`)
  return undefined
}

/** Writes all transactions of the log from `from` on into the file, and returns the resulting checksum. */
function applyLog(path: string, log: DamagedLog, from: Txid): Checksum {
  const file = new PagesFile(path)
  try {
    for (const { header, pages } of log.segments(from)) file.write(pages, header.commit)
    return file.checksum()
  } finally {
    file.close()
  }
}

/**
 * Adds the transactions that a power cut kept out of the log. SQLite's WAL is checked frame by frame, so it can be believed.
 */
function withWalRest(options: RebuildPagesOptions, candidate: Candidate): RebuiltPages {
  const { copy, log } = options
  const { newest } = log
  if (newest === undefined || !existsSync(copy.database)) return withClaims(options, candidate, { foreign: 0 })
  const { position, applied, foreign } = applyWalRest(copy.database, candidate.path, newest, candidate.position)
  const used = applied === 0 ? candidate.used : `${candidate.used}, and ${applied} more from SQLite’s WAL`
  return withClaims(options, { ...candidate, used, position }, { foreign })
}

/**
 * The result with what the damaged disk claims beyond it. If its own pages or its log know a newer transaction, the operator
 * must be told, because that transaction may have been acknowledged.
 */
function withClaims(
  { copy, log }: RebuildPagesOptions,
  { path, position, used }: Candidate,
  { foreign }: { readonly foreign: number },
): RebuiltPages {
  const own = existsSync(copy.database) ? metaOf(copy.database) : undefined
  const isBeyond = own !== undefined && (own.epoch - position.epoch || own.txid - position.txid) > 0
  const logged = log.newest === undefined ? undefined : positionOf(log.newest)
  const isShort = logged !== undefined && comparePositions(logged, position) > 0
  const beyond = isBeyond && foreign === 0 ? own : isShort ? logged : undefined
  const written = `another program wrote ${foreign === 1 ? 'a transaction' : 'transactions'}: left out, with everything after it, which was never acknowledged`
  return {
    path,
    position,
    used: [used],
    remarks: [...log.remarks, ...(foreign > 0 ? [written] : [])],
    isNewest: beyond === undefined && own !== undefined,
    beyond,
  }
}

/** The position after a logged transaction. Throws log_corrupt for a record that this primary cannot have written. */
function positionOf({ epoch, maxTxid, postApply }: SegmentHeader): Position {
  if (epoch === undefined || postApply === undefined)
    throw new MacaroondError('log_corrupt', `transaction ${maxTxid} of the log has no epoch`)
  return { epoch, txid: maxTxid, checksum: postApply }
}

function copyFile(from: string, to: string): void {
  try {
    copyFileSync(from, to)
  } catch (error) {
    throw storageError(error, `copying ${from}`)
  }
}
