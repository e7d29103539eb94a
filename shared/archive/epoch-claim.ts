/**
 * Claims of epochs: signed documents that are created only if there is none. Of two databases restored from one archive the
 * first to claim leads. Claims are never deleted and leave no gap, so a primary that slept needs one read to find out that it
 * has a successor: the claim of the epoch after its own, by its name.
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

/** By its name, never from a list. Undefined if nobody has claimed the epoch. Throws archive_damaged. */
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
 * The claim of the highest epoch. Undefined if nobody has claimed any. The lists of some buckets come late, a read by name
 * does not: so `own`, and what follows the newest listed one, are looked up. Throws archive_damaged.
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

/** Epochs, ascending. */
export async function listClaims(storage: ArchiveStorage): Promise<readonly number[]> {
  const objects = await storage.list(EPOCHS_PREFIX)
  return objects.flatMap(({ key }) => parseEpochKey(key) ?? [])
}

/**
 * Throws archive_fenced when a higher epoch, or another timeline of this one, is claimed; wrong_cluster; archive_damaged.
 * Claims that are missing below this one are created first, in its own timeline's name: a primary of an epoch below then
 * finds the claim that follows its own.
 */
export async function claimEpoch(storage: ArchiveStorage, claim: EpochClaim, key: ClaimKey): Promise<void> {
  const before = await highestClaim(storage, key.publicKey, claim.epoch)
  if (before === undefined || before.epoch <= claim.epoch) {
    for (const epoch of await unclaimedUpTo(storage, claim.epoch)) await createClaim(storage, { ...claim, epoch }, key)
  }
  // Ours or not: what is there now decides, also when the answer to the write was lost.
  const now = await highestClaim(storage, key.publicKey, claim.epoch)
  if (now !== undefined && now.cluster !== claim.cluster) throw ofAnotherCluster(storage, now.cluster)
  if (now === undefined || now.epoch < claim.epoch) throw notWritten(storage, epochKey(claim.epoch))
  if (now.epoch > claim.epoch || now.timeline !== claim.timeline) throw fenced(storage, now.epoch)
}

/** False if there is one already. A proxy may answer in the store's place: it is read back, because claims leave no gap. */
export async function createClaim(storage: ArchiveStorage, claim: EpochClaim, key: ClaimKey): Promise<boolean> {
  const name = epochKey(claim.epoch)
  const created = await storage.create(name, encodeSigned('archive epoch', claim, key.privateKey))
  if (created && (await storage.get(name)) === undefined) throw notWritten(storage, name)
  return created
}

/** Ascending: whoever finds the claim of an epoch finds those below it as well. Throws archive_damaged. */
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

/** Everything here rests on "create if absent": a store that accepts the condition and ignores it is refused. */
export async function requireCreateIfAbsent(storage: ArchiveStorage, entropy: Entropy): Promise<void> {
  await storage.create(PROBE_KEY, entropy.bytes(16))
  if ((await storage.get(PROBE_KEY)) === undefined) throw notWritten(storage, PROBE_KEY)
  const second = entropy.bytes(16)
  if (!(await storage.create(PROBE_KEY, second))) return
  if ((await storage.get(PROBE_KEY))?.equals(second) !== true) throw notWritten(storage, PROBE_KEY)
  throw new MacaroondError(
    'platform_unsupported',
    `${storage.location} overwrites what should be created only if absent`,
    {
      hint: 'two primaries could lead: use a store with conditional writes (If-None-Match), or a directory',
    },
  )
}
