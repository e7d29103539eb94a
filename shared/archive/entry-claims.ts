/** Reads the claims of the epochs that entries belong to, also where claims are missing or unreadable. */
import { MacaroondError } from '../errors.ts'
import type { Epoch } from '../ids.ts'
import { type EpochClaim, readClaim } from './epoch-claim.ts'
import type { ManifestEntry } from './manifest.ts'
import { type ArchiveStorage, inParallel, requestsAtOnce } from './storage.ts'

/** A claim as it was read: a claim, undefined for a missing one, or the problem of an unreadable one. */
type ReadClaim = EpochClaim | { readonly problem: string } | undefined

export type ClaimsOfEpochs = ReadonlyMap<Epoch, ReadClaim>

export async function readClaims(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
  entries: readonly ManifestEntry[],
): Promise<ClaimsOfEpochs> {
  const epochs = [...new Set(entries.map(({ epoch }) => epoch))]
  const claims = await inParallel(epochs, requestsAtOnce(storage), async (epoch) => {
    return [epoch, await tryReadClaim(storage, publicKey, epoch)] as const
  })
  return new Map(claims)
}

async function tryReadClaim(storage: ArchiveStorage, publicKey: Uint8Array, epoch: Epoch): Promise<ReadClaim> {
  try {
    return await readClaim(storage, publicKey, epoch)
  } catch (error) {
    if (!(error instanceof MacaroondError && error.code === 'archive_damaged')) throw error
    return { problem: error.message }
  }
}

/** True if another timeline than that of the entry claimed the epoch. Such an entry is not used. */
export function isForeign({ epoch, timeline }: ManifestEntry, claims: ClaimsOfEpochs): boolean {
  const claim = claims.get(epoch)
  return claim !== undefined && 'timeline' in claim && claim.timeline !== timeline
}

export function claimProblems(claims: ClaimsOfEpochs, entries: readonly ManifestEntry[]): readonly string[] {
  const epochs = [...new Set(entries.map(({ epoch }) => epoch))]
  return epochs.flatMap((epoch) => {
    const claim = claims.get(epoch)
    if (claim === undefined) return [`the claim of epoch ${epoch} is missing`]
    if ('problem' in claim) return [claim.problem]
    const hasForeign = entries.some((entry) => entry.epoch === epoch && isForeign(entry, claims))
    return hasForeign ? [`entries of epoch ${epoch} belong to a timeline that did not claim it`] : []
  })
}
