/**
 * Who leads an epoch: a signed document that is created only if there is none. Of two databases restored from one archive the
 * first to start leads, and an old primary that comes back finds the higher epoch and stops.
 */
import { z } from 'zod'
import type { Ed25519PrivateKey } from '../crypto.ts'
import type { Entropy } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { epoch as asEpoch, EPOCH_MAX, type Epoch, type Timeline } from '../ids.ts'
import { timelineText } from '../protocol/timeline-text.ts'
import { epochKey, EPOCHS_PREFIX, PROBE_KEY } from './layout.ts'
import { fenced } from './manifest-store.ts'
import { decodeSigned, encodeSigned } from './signed-document.ts'
import { type ArchiveStorage, getWhole } from './storage.ts'

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

/**
 * Of the highest epoch. Undefined where nobody has claimed any. The lists of some buckets come late, what is read by its name
 * does not: so `own`, and what follows the newest one listed, are looked up. Throws archive_damaged.
 */
export async function highestClaim(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  own: number = 0,
): Promise<EpochClaim | undefined> {
  const listed = (await storage.list(EPOCHS_PREFIX)).at(-1)?.key
  let claim = listed === undefined ? undefined : decode(await getWhole(storage, listed), publicKey, listed)
  for (let next = Math.max((claim?.epoch ?? 0) + 1, own); ; next += 1) {
    const name = epochKey(asEpoch(next))
    const bytes = await storage.get(name)
    if (bytes === undefined) return claim
    claim = decode(bytes, publicKey, name)
  }
}

function decode(bytes: Buffer, publicKey: Uint8Array, name: string): EpochClaim {
  const claim = decodeSigned(bytes, { kind: 'archive epoch', schema, publicKey, name })
  if (epochKey(asEpoch(claim.epoch)) !== name)
    throw new MacaroondError('archive_damaged', `${name} claims epoch ${claim.epoch}`)
  return { ...claim, epoch: asEpoch(claim.epoch), timeline: claim.timeline as Timeline }
}

/** Throws archive_fenced when a higher epoch, or another timeline of this one, is claimed; wrong_cluster; archive_damaged. */
export async function claimEpoch(
  storage: ArchiveStorage,
  claim: EpochClaim,
  key: { readonly publicKey: Uint8Array; readonly privateKey: Ed25519PrivateKey },
): Promise<void> {
  const before = await highestClaim(storage, key.publicKey, claim.epoch)
  if (before === undefined || before.epoch < claim.epoch) {
    await storage.create(epochKey(claim.epoch), encodeSigned('archive epoch', claim, key.privateKey))
  }
  // Ours or not: what is there now decides, also when the answer to the write was lost.
  const now = await highestClaim(storage, key.publicKey, claim.epoch)
  if (now !== undefined && now.cluster !== claim.cluster) {
    throw new MacaroondError('wrong_cluster', `the archive ${storage.location} belongs to cluster "${now.cluster}"`, {
      hint: 'every cluster has an archive of its own: check [archive] in the configuration',
    })
  }
  if (now?.epoch !== claim.epoch || now.timeline !== claim.timeline) throw fenced(storage, now?.epoch ?? claim.epoch)
}

/** Everything here rests on "create if absent": a store that accepts the condition and ignores it is refused. */
export async function requireCreateIfAbsent(storage: ArchiveStorage, entropy: Entropy): Promise<void> {
  await storage.create(PROBE_KEY, entropy.bytes(16))
  if (!(await storage.create(PROBE_KEY, entropy.bytes(16)))) return
  throw new MacaroondError(
    'platform_unsupported',
    `${storage.location} overwrites what should be created only if absent`,
    {
      hint: 'two primaries could lead: use a store with conditional writes (If-None-Match), or a directory',
    },
  )
}
