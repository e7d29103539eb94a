/**
 * Writes the claims of epochs, each only if absent. Claims leave no gap, so missing claims of lower epochs are created first. A
 * claim that was lost is written for the timeline that had it.
 */
import { type EpochClaim, highestClaim, listClaims } from '../../../shared/archive/epoch-claim.ts'
import { epochKey, PROBE_KEY } from '../../../shared/archive/layout.ts'
import { encodeSigned } from '../../../shared/archive/signed-document.ts'
import { type ArchiveStorage, notWritten } from '../../../shared/archive/storage.ts'
import type { Entropy } from '../../../shared/clock.ts'
import type { Ed25519PrivateKey } from '../../../shared/crypto.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { epoch as asEpoch, type Epoch } from '../../../shared/ids.ts'
import { CLAIMS_FILLED_MAX } from '../../../shared/limits.ts'
import { fenced, tooManyMissing, wrongCluster } from './chain-errors.ts'
import { provenOwners, type ProvenOwner } from './lost-claims.ts'

interface ClaimKey {
  readonly publicKey: Uint8Array
  readonly privateKey: Ed25519PrivateKey
}

/**
 * Claims an epoch, and first creates the missing claims of lower epochs: for the timeline that the entries of the epoch name,
 * and for our own where no entry does. A primary of a lower epoch looks only for the claim of its next epoch, so every claim
 * must exist. Returns the epochs whose claim was lost. Throws archive_fenced if a higher epoch, or this epoch by another
 * timeline, is claimed; wrong_cluster; archive_damaged.
 */
export async function claimEpoch(storage: ArchiveStorage, claim: EpochClaim, key: ClaimKey): Promise<readonly Epoch[]> {
  const before = await highestClaim(storage, key.publicKey, claim.epoch)
  // Nothing is written into the archive of another cluster: its primary would find itself fenced.
  if (before !== undefined && before.cluster !== claim.cluster) throw wrongCluster(storage, before.cluster)
  const isLeading = before === undefined || before.epoch <= claim.epoch
  const missing = isLeading ? await unclaimedUpTo(storage, claim.epoch) : []
  const lost = missing.length === 0 ? [] : await fillClaims(storage, missing, claim, key)
  // The claim that the store now has decides, because the answer to our write may have been lost.
  const after = await highestClaim(storage, key.publicKey, claim.epoch)
  if (after !== undefined && after.cluster !== claim.cluster) throw wrongCluster(storage, after.cluster)
  if (after === undefined || after.epoch < claim.epoch) throw notWritten(storage, epochKey(claim.epoch))
  if (after.epoch > claim.epoch || after.timeline !== claim.timeline) throw fenced(storage, after.epoch)
  return lost
}

/** Returns the epochs whose claim existed before, and was lost. */
async function fillClaims(
  storage: ArchiveStorage,
  missing: readonly Epoch[],
  own: EpochClaim,
  key: ClaimKey,
): Promise<readonly Epoch[]> {
  const owners = await provenOwners(storage, key.publicKey)
  refuseOthers(storage, owners, own)
  const lost: Epoch[] = []
  for (const epoch of missing) {
    const owner = owners.get(epoch)
    const created = await createClaim(storage, { ...own, ...owner, epoch }, key)
    if (created && owner !== undefined) lost.push(epoch)
  }
  return lost
}

/**
 * Writes the lost claims of the epochs that have entries. Returns these epochs. Throws archive_fenced if entries of a later
 * epoch, or of another timeline of this epoch, are there; wrong_cluster.
 */
export async function putClaimsBack(
  storage: ArchiveStorage,
  own: EpochClaim,
  key: ClaimKey,
): Promise<readonly Epoch[]> {
  const owners = await provenOwners(storage, key.publicKey)
  const epochs = [...owners.keys()].toSorted((a, b) => a - b)
  const present = await Promise.all(epochs.map((epoch) => storage.get(epochKey(epoch))))
  const missing = epochs.filter((_, index) => present[index] === undefined)
  if (missing.length === 0) return []
  if (owners.get(own.epoch)?.timeline !== own.timeline && owners.has(own.epoch)) throw fenced(storage, own.epoch)
  return fillClaims(storage, missing, own, key)
}

/** Throws if the entries belong to another cluster, or to a later epoch whose claim was lost. */
function refuseOthers(storage: ArchiveStorage, owners: ReadonlyMap<Epoch, ProvenOwner>, own: EpochClaim): void {
  for (const [epoch, { cluster }] of owners) {
    if (cluster !== own.cluster) throw wrongCluster(storage, cluster)
    if (epoch > own.epoch) throw fenced(storage, epoch)
  }
}

/** Returns false if a claim exists. A new claim is read back, because a proxy may have answered instead of the store. */
export async function createClaim(storage: ArchiveStorage, claim: EpochClaim, key: ClaimKey): Promise<boolean> {
  const name = epochKey(claim.epoch)
  const created = await storage.create(name, encodeSigned('archive epoch', claim, key.privateKey))
  if (created && (await storage.get(name)) === undefined) throw notWritten(storage, name)
  return created
}

/**
 * Lists missing claims. They are created in ascending order, so that a claim never exists before those below it. Throws
 * archive_damaged.
 */
async function unclaimedUpTo(storage: ArchiveStorage, own: Epoch): Promise<readonly Epoch[]> {
  const listed = await listClaims(storage)
  const existing = new Set(listed)
  const lowest = listed[0] ?? Math.max(1, own - CLAIMS_FILLED_MAX)
  const missing: Epoch[] = []
  for (let epoch = lowest; epoch <= own; epoch += 1) {
    if (!existing.has(epoch)) missing.push(asEpoch(epoch))
    const isTooMany = epoch < own && missing.length > CLAIMS_FILLED_MAX
    if (isTooMany) throw tooManyMissing(storage, missing[0]!, own)
  }
  return missing
}

/**
 * Refuses a store that accepts a conditional write and ignores its condition, because claims depend on it. Throws
 * platform_unsupported.
 */
export async function requireCreateIfAbsent(storage: ArchiveStorage, entropy: Entropy): Promise<void> {
  await storage.create(PROBE_KEY, entropy.bytes(16))
  if ((await storage.get(PROBE_KEY)) === undefined) throw notWritten(storage, PROBE_KEY)
  const second = entropy.bytes(16)
  if (!(await storage.create(PROBE_KEY, second))) return
  if ((await storage.get(PROBE_KEY))?.equals(second) !== true) throw notWritten(storage, PROBE_KEY)
  throw new MacaroondError(
    'platform_unsupported',
    `${storage.location} overwrites objects that must be created only if absent`,
    {
      hint: 'two primaries could lead: use a store with conditional writes (If-None-Match), or a directory',
    },
  )
}
