/**
 * Claims the archive for this primary's epoch, at every start and after every failure. It checks that the archive belongs to
 * this authority, fences earlier primaries, and finds the last transaction that the archive has. Nothing else is written before
 * it succeeds.
 */
import { NO_BACKUP, REPAIR_HINT } from '../../../shared/repair-hint.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { SEGMENTS_PREFIX } from '../../../shared/archive/layout.ts'
import { highestClaim } from '../../../shared/archive/epoch-claim.ts'
import { claimEpoch } from './claim-epoch.ts'
import type { ManifestState } from '../../../shared/archive/manifest-state.ts'
import type { Timers } from '../../../shared/clock.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { type Epoch, TXID_NONE, txid as asTxid, type Txid } from '../../../shared/ids.ts'
import { RESTORE_TXID_JUMP } from '../../../shared/limits.ts'
import { positionText } from '../../../shared/position.ts'
import { mendFiles, type Mended } from '../files/mend.ts'
import { loadOrRepair, type ManifestRepairOptions } from './repair.ts'
import type { CommittedHistory } from '../source.ts'

export interface ClaimOptions extends ManifestRepairOptions {
  readonly cluster: string
  readonly nowMs: number
  readonly timers: Timers
  /** True if a file that the manifest names was found damaged or missing. */
  readonly filesBad: boolean
}

export interface Claimed {
  /** The last transaction in the archive. */
  readonly archived: Txid
  /** True if the log does not continue the archive, so that a snapshot has to come first. */
  readonly needsSnapshot: boolean
  /** Time of the last write before this claim, unix milliseconds; undefined for a new archive. */
  readonly lastWriteMs: number | undefined
  /** Describes transactions of earlier epochs that the restore of this database cannot have read; undefined for none. */
  readonly late: string | undefined
  /** Describes what was lost in the archive and repaired. */
  readonly repaired: readonly string[]
}

/** Throws archive_fenced, wrong_cluster and position_diverged, which are final; archive_damaged, archive_unsigned. */
export async function claim(options: ClaimOptions): Promise<Claimed> {
  const { cluster, storage, manifest, source, signingKey, nowMs } = options
  const { head, timeline } = source
  await refuseForeign(options)
  await claimEpoch(storage, { cluster, epoch: head.epoch, timeline, atMs: nowMs }, signingKey)
  const { found, repaired } = await loadOrRepair(options)
  if (found.seq === 0) await refuseUnsigned(storage)
  // An entry of this epoch comes first: after it no other primary can continue the chain.
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
 * Transactions that an earlier primary archived after the restore had read the archive. A restore begins its epoch
 * `RESTORE_TXID_JUMP` transactions after the last one it knew, and one more jump later for each epoch it had not seen. So the
 * base of this epoch reveals the last transaction that the restore knew.
 */
function lateTransactions({ files }: ManifestState, { head, base }: CommittedHistory): string | undefined {
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

/** Throws wrong_cluster if a new database meets the archive of another authority: taking it over would destroy that archive. */
async function refuseForeign({ storage, source, signingKey, cluster }: ClaimOptions): Promise<void> {
  try {
    await highestClaim(storage, signingKey.publicKey)
  } catch (error) {
    const isNew = source.head.txid === 1
    if (!isNew || !(error instanceof MacaroondError) || error.code !== 'archive_damaged') throw error
    throw new MacaroondError(
      'wrong_cluster',
      `the archive ${storage.location} belongs to another authority than this new database`,
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

/** Throws position_diverged unless our history contains the archive's head. Only committed transactions are archived. */
function requireSameHistory({ head: theirs }: ManifestState, source: CommittedHistory): void {
  if (theirs === undefined) return
  const { head } = source
  const ahead = theirs.txid > head.txid
  const checksum = ahead ? undefined : source.checksumAt(theirs.txid)
  if (!ahead && (checksum === undefined || checksum === theirs.checksum)) return
  const [what, why] = ahead
    ? ['ahead of', 'the database was put back to an older copy']
    : ['with other content than', `the file was changed outside macaroond (${NO_BACKUP})`]
  throw new MacaroondError(
    'position_diverged',
    `the archive is at ${positionText(theirs)}, ${what} this database at ${positionText(head)}: ${why}`,
    {
      hint: `put the newer database back: without it the same numbers would go to other transactions. If it is lost, ${REPAIR_HINT}`,
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
