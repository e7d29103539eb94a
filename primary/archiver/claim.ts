/** The first thing at every start, and after every failure: whose archive is this, who leads, and up to where does it go? */
import { NO_BACKUP, REPAIR_HINT } from '../../shared/repair-hint.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import { SEGMENTS_PREFIX } from '../../shared/archive/layout.ts'
import { claimEpoch, highestClaim } from '../../shared/archive/epoch-claim.ts'
import type { ManifestState } from '../../shared/archive/manifest-state.ts'
import type { Timers } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { type Epoch, TXID_NONE, txid as asTxid, type Txid } from '../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../shared/limits.ts'
import { positionText } from '../../shared/position.ts'
import { mendFiles, type Mended } from './mend.ts'
import { loadOrRepair, type RepairOptions } from './repair.ts'
import type { ArchiveSource } from './source.ts'

export interface ClaimOptions extends RepairOptions {
  readonly cluster: string
  readonly nowMs: number
  readonly timers: Timers
  /** Files that the manifest names were not as they were archived. */
  readonly filesBad: boolean
}

export interface Claimed {
  readonly archived: Txid
  /** Nothing in the archive leads on to what the log has. */
  readonly needsSnapshot: boolean
  /** When somebody wrote the archive before this, unix milliseconds; undefined for a new one. */
  readonly lastWriteMs: number | undefined
  /** Transactions of earlier epochs that the restore of this database cannot have read, in words; undefined for none. */
  readonly late: string | undefined
  /** What was lost in the archive and repaired, in words. */
  readonly repaired: readonly string[]
}

/** Throws archive_fenced, wrong_cluster, position_diverged (all final), archive_damaged, archive_unsigned. */
export async function claim(options: ClaimOptions): Promise<Claimed> {
  const { cluster, storage, manifest, source, signingKey, nowMs } = options
  const { head, timeline } = source
  await refuseForeign(options)
  await claimEpoch(storage, { cluster, epoch: head.epoch, timeline, atMs: nowMs }, signingKey)
  const { found, repaired } = await loadOrRepair(options)
  if (found.seq === 0) await refuseUnsigned(storage)
  // An entry of this epoch before anything else: from here on no other primary can go on with the chain.
  const isOurs = found.epoch === head.epoch
  requireSameHistory(isOurs ? found : await manifest.append({ head: undefined, added: [], removed: [] }), source)
  const isDoubted = options.filesBad || repaired !== undefined
  const mended = isDoubted ? wordsOf(await mendFiles(options)) : []
  const { state } = manifest
  const archived = state.head?.txid ?? TXID_NONE
  const needsSnapshot = archived < head.txid && source.segment(asTxid(archived + 1)) === undefined
  const lastWriteMs = found.seq === 0 ? undefined : found.atMs
  const late = lateTransactions(state, source)
  return { archived, needsSnapshot, lastWriteMs, late, repaired: [...(repaired ?? []), ...mended] }
}

/**
 * An earlier primary that still ran archived them after the restore had read the archive: a restore begins its epoch so many
 * transactions after the last one that it knew of, and for each epoch that it had not seen as many more.
 */
function lateTransactions({ files }: ManifestState, { head, base }: ArchiveSource): string | undefined {
  const knownOf = (epoch: Epoch): number => base - RESTORE_TXID_JUMP * (head.epoch - epoch)
  const lastOfEpoch = new Map<Epoch, Txid>()
  for (const { epoch, maxTxid } of files.values()) {
    if (epoch === undefined || epoch >= head.epoch) continue
    const known = knownOf(epoch)
    if (known > 0 && maxTxid > known && maxTxid > (lastOfEpoch.get(epoch) ?? 0)) lastOfEpoch.set(epoch, maxTxid)
  }
  const ranges = [...lastOfEpoch].map(([epoch, last]) => `transactions ${knownOf(epoch) + 1}-${last} of epoch ${epoch}`)
  return ranges.length === 0 ? undefined : ranges.join(', ')
}

/** A database without any history must not take over the archive of one that was lost: that would be the end of both. */
async function refuseForeign({ storage, source, signingKey, cluster }: ClaimOptions): Promise<void> {
  try {
    await highestClaim(storage, signingKey.publicKey)
  } catch (error) {
    const isNew = source.head.txid === 1
    if (!isNew || !(error instanceof MacaroondError) || error.code !== 'archive_damaged') throw error
    throw new MacaroondError(
      'wrong_cluster',
      `the archive ${storage.location} is of another authority than this new database`,
      {
        hint: `restore ${cluster} from it with \`macaroond restore\`, or name another place under [archive]`,
      },
    )
  }
}

async function refuseUnsigned(storage: ArchiveStorage): Promise<void> {
  const [file] = await storage.list(SEGMENTS_PREFIX)
  if (file === undefined) return
  throw new MacaroondError('archive_unsigned', `${storage.location} holds ${file.key}, but no manifest`, {
    hint: 'its manifest was deleted, or litestream wrote it: move it away, or name another place under [archive]',
  })
}

/** What is in the archive was committed and synced before: a database without it is another. */
function requireSameHistory({ head: theirs }: ManifestState, source: ArchiveSource): void {
  if (theirs === undefined) return
  const { head } = source
  const ahead = theirs.txid > head.txid
  const checksum = ahead ? undefined : source.checksumAt(theirs.txid)
  if (!ahead && (checksum === undefined || checksum === theirs.checksum)) return
  const [what, why] = ahead
    ? ['ahead of', 'the database was put back to an older copy']
    : ['of other content than', `the file was changed outside macaroond (${NO_BACKUP})`]
  throw new MacaroondError(
    'position_diverged',
    `the archive is at ${positionText(theirs)}, ${what} this database at ${positionText(head)}: ${why}`,
    {
      hint: `put the newer database back: going on would give the same numbers to other transactions. If it is lost, ${REPAIR_HINT}`,
    },
  )
}

function wordsOf({ put, lost }: Mended): readonly string[] {
  return [
    ...(put.length === 0 ? [] : [`files were lost and put back from the log: ${keysText(put)}`]),
    ...(lost.length === 0 ? [] : [`files were lost and are named no longer: ${keysText(lost)}`]),
  ]
}

const KEYS_TOLD = 5

function keysText(keys: readonly string[]): string {
  const more = keys.length - KEYS_TOLD
  return `${keys.slice(0, KEYS_TOLD).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
