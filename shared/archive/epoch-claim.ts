/**
 * Claims of epochs: signed documents that are created only if absent. If two databases are restored from one archive, the first
 * to claim the epoch leads. Claims are never deleted and leave no gap. So a primary that slept needs a single read to find out
 * if it has a successor: it reads the claim of the next epoch by its name.
 */
import { z } from 'zod'
import { MacaroondError } from '../errors.ts'
import { timelineText } from '../id-schemas.ts'
import { epoch as asEpoch, EPOCH_MAX, type Epoch, type Timeline } from '../ids.ts'
import { epochKey, EPOCHS_PREFIX, parseEpochKey } from './layout.ts'
import { decodeSigned } from './signed-document.ts'
import { type ArchiveStorage, objectMissing } from './storage.ts'

export interface EpochClaim {
  readonly cluster: string
  readonly epoch: Epoch
  readonly timeline: Timeline
  readonly atMs: number
}

const schema = z.strictObject({
  cluster: z.string(),
  epoch: z.number().int().positive().max(EPOCH_MAX),
  timeline: timelineText,
  atMs: z.number().int().nonnegative(),
})

/** Reads a claim by its name, because a list may be late. Undefined if the epoch is not claimed. Throws archive_damaged. */
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
