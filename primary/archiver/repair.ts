/**
 * A chain of entries that is damaged. The process that wrote it knows all that it said, and begins it anew by itself. After a
 * restart nobody knows what a lost entry said: an operator has to see the list, and then the chain begins anew with what the
 * entries that can be read name.
 */
import { type ChainLink, type ManifestWriter, writtenByCopy } from '../../shared/archive/manifest-store.ts'
import type { ManifestState } from '../../shared/archive/manifest-state.ts'
import { readEntry, unlessDamaged } from '../../shared/archive/read-chain.ts'
import { fenced } from '../../shared/archive/epoch-claim.ts'
import { restorableRanges } from '../../shared/archive/restore-plan.ts'
import { filesThere, type Salvaged, salvageManifest } from '../../shared/archive/salvage.ts'
import type { ArchiveStorage } from '../../shared/archive/storage.ts'
import type { SigningKey } from '../../shared/database/signing-key.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { ArchiveWound } from '../../shared/protocol/archive-repair.ts'
import { reachableHead } from './mend.ts'
import type { ArchiveSource } from './source.ts'

export interface RepairOptions {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestWriter
  readonly source: ArchiveSource
  readonly signingKey: SigningKey
  /** An entry that the database remembers. */
  readonly known: ChainLink | undefined
  /** An operator has seen what is lost. */
  readonly mayRepair: boolean
}

export interface Loaded {
  readonly found: ManifestState
  /** What was lost, in words; undefined for a chain that is whole. */
  readonly repaired: readonly string[] | undefined
}

/** Throws archive_damaged where an operator has to be asked; archive_fenced. */
export async function loadOrRepair(options: RepairOptions): Promise<Loaded> {
  const { manifest, mayRepair } = options
  try {
    return { found: await manifest.load(), repaired: undefined }
  } catch (error) {
    if (!(error instanceof MacaroondError && error.code === 'archive_damaged')) throw error
    const repaired = (await heal(manifest)) ?? (mayRepair ? await repair(options) : undefined)
    if (repaired === undefined) throw error
    return { found: await manifest.load(), repaired }
  }
}

/** What an operator is asked about. */
export async function inspectWound({
  storage,
  signingKey,
  known,
}: Pick<RepairOptions, 'storage' | 'signingKey' | 'known'>): Promise<ArchiveWound> {
  const { state, problems } = await salvageManifest(storage, signingKey.publicKey, known?.entry)
  const there = await filesThere(storage, state.files.values())
  return { problems, filesLost: state.files.size - there.length, restorable: restorableRanges(there) }
}

async function heal(manifest: ManifestWriter): Promise<readonly string[] | undefined> {
  const lost = await manifest.heal()
  if (lost === undefined) return undefined
  return lost.length === 0
    ? ['objects that are no entries lay in the manifest']
    : [`entries ${lost.join(', ')} of the manifest were lost; the primary knew what they said`]
}

async function repair(options: RepairOptions): Promise<readonly string[]> {
  const { storage, manifest, source, signingKey, known } = options
  const salvaged = await salvageManifest(storage, signingKey.publicKey, known?.entry)
  requireOwn(options, salvaged)
  await requireKnownOrLost(options)
  const files = await filesThere(storage, salvaged.state.files.values())
  const head = salvaged.state.epoch === source.head.epoch ? reachableHead(files, salvaged.state.head) : undefined
  const { previous } = salvaged.state
  await manifest.beginAnew({ files: new Map(files.map((file) => [file.key, file])), head, previous }, salvaged.highest)
  return salvaged.problems
}

/** Another primary of a later epoch, or of another history of this one, has written what can be read. */
function requireOwn({ storage, source }: RepairOptions, { state }: Salvaged): void {
  const { epoch, timeline } = state
  if (epoch === undefined || epoch < source.head.epoch) return
  if (epoch > source.head.epoch || timeline !== source.timeline) throw fenced(storage, epoch)
}

/** The entry that the database remembers is there, or it is lost: another one in its place is somebody else’s. */
async function requireKnownOrLost({ storage, signingKey, known }: RepairOptions): Promise<void> {
  if (known === undefined) return
  const read = await unlessDamaged(readEntry(storage, signingKey.publicKey, known.entry))
  if (read === undefined || read.hash === known.hash) return
  throw writtenByCopy(storage, known.entry)
}
