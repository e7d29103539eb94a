/**
 * Claims of epochs: signed documents that are created only if absent. If two databases are restored from one archive, the first
 * to claim the epoch leads. Claims are never deleted and leave no gap. So a primary that slept needs one read, by name, to
 * learn that it has a successor: the claim of the epoch after its own.
 */
import { z } from 'zod'
import type { Ed25519PrivateKey } from '../crypto.ts'
import type { Entropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { epoch as asEpoch, EPOCH_MAX, type Epoch, type Timeline, timelineText } from '../ids.ts'
import { CLAIMS_FILLED_MAX } from '../limits.ts'
import { epochKey, EPOCHS_PREFIX, parseEpochKey, PROBE_KEY } from './layout.ts'
import { decodeSigned, encodeSigned } from './signed-document.ts'
import { type ArchiveStorage, notWritten, objectMissing } from './storage.ts'

export interface EpochClaim {
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly atMs: number
}

interface ClaimKey {
  readonly publicKey: Uint8Array
  readonly privateKey: Ed25519PrivateKey
}

const schema = z.strictObject({
  cluster: z.string(),
  epoch: z.number().int().positive().max(EPOCH_MAX),
  timeline: timelineText,
  atMs: z.number().int().nonnegative(),
})

/** Reads a claim by its name, because lists may be late. Undefined if the epoch is not claimed. Throws archive_damaged. */
export async function readClaim(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  epoch: number,
): Promise<EpochClaim | undefined> {
  if (epoch < 1 || epoch > EPOCH_MAX) return undefined
  const name = epochKey(asEpoch(epoch))
  const bytes = await storage.get(name)
  if (bytes === undefined) return undefined
  const claim = decodeSigned(bytes, { kind: 'archive epoch', schema, publicKey, name })
  if (claim.epoch !== epoch) throw new MacaroondError('archive_damaged', `${name} claims epoch ${claim.epoch}`)
  return { ...claim, epoch: asEpoch(claim.epoch), timeline: claim.timeline as Timeline }
}

/**
 * Returns the claim of the highest epoch, or undefined if there is none. In some buckets a list may lack a new object, but a
 * read by name never does, so `own` and the epochs after the highest listed one are read by name. Throws archive_damaged.
 */
export async function highestClaim(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  own: number = 0,
): Promise<EpochClaim | undefined> {
  const listed = (await listClaims(storage)).at(-1) ?? 0
  let claim: EpochClaim | undefined
  for (let next = listed === 0 ? Math.max(1, own) : listed; ; next = Math.max(next + 1, own)) {
    const found = await readClaim(storage, publicKey, next)
    if (found === undefined && next === listed) throw objectMissing(storage, epochKey(asEpoch(listed)))
    if (found === undefined && next >= own) return claim
    claim = found ?? claim
  }
}

/** Lists the claimed epochs, ascending. */
export async function listClaims(storage: ArchiveStorage): Promise<readonly number[]> {
  const objects = await storage.list(EPOCHS_PREFIX)
  return objects.flatMap(({ key }) => parseEpochKey(key) ?? [])
}

/**
 * Claims an epoch. It first creates the missing claims below, with its own timeline, so that a primary of a lower epoch finds
 * the claim after its own. Throws archive_fenced if a higher epoch, or this epoch by another timeline, is claimed;
 * wrong_cluster; archive_damaged.
 */
export async function claimEpoch(storage: ArchiveStorage, claim: EpochClaim, key: ClaimKey): Promise<void> {
  const before = await highestClaim(storage, key.publicKey, claim.epoch)
  if (before === undefined || before.epoch <= claim.epoch) {
    for (const epoch of await unclaimedUpTo(storage, claim.epoch)) await createClaim(storage, { ...claim, epoch }, key)
  }
  // The claim that the store now has decides, because the answer to our write may have been lost.
  const now = await highestClaim(storage, key.publicKey, claim.epoch)
  if (now !== undefined && now.cluster !== claim.cluster) throw ofAnotherCluster(storage, now.cluster)
  if (now === undefined || now.epoch < claim.epoch) throw notWritten(storage, epochKey(claim.epoch))
  if (now.epoch > claim.epoch || now.timeline !== claim.timeline) throw fenced(storage, now.epoch)
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
  const there = new Set(listed)
  const lowest = listed[0] ?? Math.max(1, own - CLAIMS_FILLED_MAX)
  const missing: Epoch[] = []
  for (let epoch = lowest; epoch <= own; epoch += 1) {
    if (!there.has(epoch)) missing.push(asEpoch(epoch))
    const isTooMany = epoch < own && missing.length > CLAIMS_FILLED_MAX
    if (isTooMany) throw tooManyMissing(storage, missing[0]!, own)
  }
  return missing
}

export function fenced({ location }: ArchiveStorage, epoch: Epoch): MacaroondError {
  return new MacaroondError('archive_fenced', `another primary leads the archive ${location} in epoch ${epoch}`, {
    hint: 'a restored database leads now: stop this primary, or restore again to make this one lead',
  })
}

export function ofAnotherCluster({ location }: ArchiveStorage, cluster: string): MacaroondError {
  return new MacaroondError('wrong_cluster', `the archive ${location} belongs to cluster "${cluster}"`, {
    hint: 'every cluster has an archive of its own: check [archive] in the configuration',
  })
}

function tooManyMissing({ location }: ArchiveStorage, first: Epoch, own: Epoch): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `more than ${CLAIMS_FILLED_MAX} claims of epochs are missing in ${location} between ${first} and ${own}`,
    { hint: 'put the objects under macaroond/epochs/ back from a copy of the archive, or name a new place for it' },
  )
}

/**
 * Refuses a store that accepts "create if absent" and ignores it, because every claim depends on it. Throws
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
