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
import { repairFiles, type RepairedFiles } from '../files/repair-files.ts'
import { describeLostClaims, loadOrRepair, type ManifestRepairOptions } from './repair.ts'
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
  /** True if the log lacks the transaction after the archive's last one, so that a snapshot must come first. */
  readonly needsSnapshot: boolean
  /** Time of the last write before this claim, unix milliseconds; undefined for a new archive. */
  readonly lastWriteMs: number | undefined
  /**
   * Describes transactions of earlier epochs that were archived too late for the restore of this database; undefined for none.
   */
  readonly lateTransactions: string | undefined
  /** Describes what was lost in the archive and repaired. */
  readonly repaired: readonly string[]
}

/** Throws archive_fenced, wrong_cluster and position_diverged, which are final; archive_damaged, archive_unsigned. */
export async function claim(options: ClaimOptions): Promise<Claimed> {
  const { cluster, storage, manifest, source, signingKey, nowMs } = options
  const { head, timeline } = source
  await refuseForeign(options)
  const own = { cluster, epoch: head.epoch, timeline, atMs: nowMs }
  const lostClaims = await claimEpoch(storage, own, signingKey)
  const { found, repaired } = await loadOrRepair({ ...options, own })
  if (found.seq === 0) await refuseUnsigned(storage)
  // The first entry of this epoch: after it no earlier primary can continue the chain.
  const isOurs = found.epoch === head.epoch
  requireSameHistory(isOurs ? found : await manifest.append({ head: undefined, added: [], removed: [] }), source)
  const mayLackFiles = options.filesBad || repaired !== undefined
  const repairedFiles = mayLackFiles ? describeRepairs(await repairFiles(options)) : []
  const { state } = manifest
  const archived = state.head?.txid ?? TXID_NONE
  const needsSnapshot = archived < head.txid && source.segment(asTxid(archived + 1)) === undefined
  const lastWriteMs = found.seq === 0 ? undefined : found.atMs
  const lateTransactions = describeLateTransactions(state, source)
  const allRepaired = [...describeLostClaims(lostClaims), ...(repaired ?? []), ...repairedFiles]
  return { archived, needsSnapshot, lastWriteMs, lateTransactions, repaired: allRepaired }
}

/**
 * Describes the transactions that an earlier primary archived after a restore had read the archive. They are named as long as
 * the archive has them, also after further restores, because no restore takes them over.
 */
function describeLateTransactions({ files }: ManifestState, { head, bases }: CommittedHistory): string | undefined {
  const lastOfEpoch = new Map<Epoch, Txid>()
  for (const { epoch, maxTxid } of files.values()) {
    if (epoch === undefined || epoch >= head.epoch) continue
    const known = lastReadOf(epoch, bases)
    if (known > 0 && maxTxid > known && maxTxid > (lastOfEpoch.get(epoch) ?? 0)) lastOfEpoch.set(epoch, maxTxid)
  }
  const ranges = [...lastOfEpoch].map(
    ([epoch, last]) => `transactions ${lastReadOf(epoch, bases) + 1}-${last} of epoch ${epoch}`,
  )
  return ranges.length === 0 ? undefined : ranges.join(', ')
}

/**
 * Returns the last transaction of an epoch that the next restore had read; not above 0 if that is unknown. A restore numbers
 * its first transaction `RESTORE_TXID_JUMP` above the last one that it read, and adds this jump for each epoch that it skips.
 */
function lastReadOf(epoch: Epoch, bases: CommittedHistory['bases']): number {
  const [next, base] = [...bases].find(([other]) => other > epoch) ?? [epoch, 0]
  return base - RESTORE_TXID_JUMP * (next - epoch)
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

/**
 * Throws position_diverged unless our history contains the archive's head. Only committed transactions are archived, so an
 * archive that is ahead shows that commits were lost here.
 */
function requireSameHistory({ head: theirs }: ManifestState, source: CommittedHistory): void {
  if (theirs === undefined) return
  const { head } = source
  const ahead = theirs.txid > head.txid
  const checksum = ahead ? undefined : source.checksumAt(theirs.txid)
  if (!ahead && (checksum === undefined || checksum === theirs.checksum)) return
  const [what, why] = ahead
    ? ['ahead of', 'the database was put back to an older copy']
    : ['and its content differs from', `the file was changed outside macaroond (${NO_BACKUP})`]
  throw new MacaroondError(
    'position_diverged',
    `the archive is at ${positionText(theirs)}, ${what} this database at ${positionText(head)}: ${why}`,
    {
      hint: `put the newer database back, because this one would give the same numbers to other transactions. If it is lost, ${REPAIR_HINT}`,
    },
  )
}

function describeRepairs({ reuploaded, lost }: RepairedFiles): readonly string[] {
  return [
    ...(reuploaded.length === 0 ? [] : [`lost files were uploaded again from the log: ${keysText(reuploaded)}`]),
    ...(lost.length === 0 ? [] : [`lost files were removed from the manifest: ${keysText(lost)}`]),
  ]
}

const KEYS_SHOWN = 5

function keysText(keys: readonly string[]): string {
  const more = keys.length - KEYS_SHOWN
  return `${keys.slice(0, KEYS_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
