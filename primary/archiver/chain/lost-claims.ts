/**
 * Finds out which timelines had claimed the epochs whose claims are lost. A primary signs an entry only after it has claimed
 * its epoch, so the entries of an epoch prove which timeline claimed it. A stranger who writes to the store gains nothing by a
 * signed entry of another cluster: the signed claim of that cluster would do as much.
 */
import { readableEntries } from '../../../shared/archive/salvage.ts'
import { readChain, unlessDamaged } from '../../../shared/archive/read-chain.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import type { Epoch, Timeline } from '../../../shared/ids.ts'

/** The cluster and the timeline that the entries of an epoch name. */
export interface ProvenOwner {
  readonly cluster: string
  readonly timeline: Timeline
}

/** Returns the owner of each epoch that has readable entries, from the newest base on. The first entry of an epoch decides. */
export async function provenOwners(
  storage: ArchiveStorage,
  publicKey: Uint8Array,
): Promise<ReadonlyMap<Epoch, ProvenOwner>> {
  const chain = await unlessDamaged(readChain(storage, publicKey, 0))
  const entries = chain?.map(({ entry }) => entry) ?? (await readableEntries(storage, publicKey))
  return new Map(entries.toReversed().map(({ epoch, cluster, timeline }) => [epoch, { cluster, timeline }]))
}
