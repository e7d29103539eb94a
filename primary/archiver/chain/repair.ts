/**
 * Repairs a damaged chain of entries. The process that wrote the chain knows all of its content, and begins it anew with a
 * base by itself. After a restart the content of a lost entry is unknown. Then an operator has to confirm the losses, and
 * the chain begins anew with the files that the readable entries name.
 */
import { fenced, writtenByCopy } from './chain-errors.ts'
import type { ChainLink, ManifestWriter } from './manifest-writer.ts'
import type { ManifestState } from '../../../shared/archive/manifest-state.ts'
import { readEntry, unlessDamaged } from '../../../shared/archive/read-chain.ts'
import { putClaimsBack } from './claim-epoch.ts'
import type { EpochClaim } from '../../../shared/archive/epoch-claim.ts'
import { restorableRanges } from '../../../shared/archive/restore-plan.ts'
import { filesThere, type Salvaged, salvageManifest } from '../../../shared/archive/salvage.ts'
import type { ArchivedFile } from '../../../shared/archive/layout.ts'
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import type { SigningKey } from '../../../shared/database/signing-key.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch } from '../../../shared/ids.ts'
import type { ArchiveDamage } from '../../../shared/protocol/archive-repair.ts'
import { reachableHead } from '../files/repair-files.ts'
import type { CommittedHistory } from '../source.ts'

export interface ManifestRepairOptions {
  readonly storage: ArchiveStorage
  readonly manifest: ManifestWriter
  readonly source: CommittedHistory
  readonly signingKey: SigningKey
  /** The entry that the database records. */
  readonly known: ChainLink | undefined
  /** True if an operator has confirmed these losses; undefined if none has confirmed any. */
  readonly mayRepair: ((damage: ArchiveDamage) => boolean) | undefined
}

export interface Loaded {
  readonly found: ManifestState
  /** Describes what was lost; undefined if the chain was whole. */
  readonly repaired: readonly string[] | undefined
}

interface LoadOptions extends ManifestRepairOptions {
  readonly own: EpochClaim
}

/**
 * Lost claims are written again without an operator, because the entries prove whose they were. Throws archive_damaged if an
 * operator has to decide; archive_fenced.
 */
export async function loadOrRepair(options: LoadOptions): Promise<Loaded> {
  const { manifest, storage, own, signingKey, mayRepair } = options
  const first = await load(manifest)
  if (!(first instanceof MacaroondError)) return { found: first, repaired: undefined }
  const claims = describeLostClaims(await putClaimsBack(storage, own, signingKey))
  const second = claims.length === 0 ? first : await load(manifest)
  if (!(second instanceof MacaroondError)) return { found: second, repaired: claims }
  const repaired = (await heal(manifest)) ?? (mayRepair === undefined ? undefined : await repair(options, mayRepair))
  if (repaired === undefined) throw second
  return { found: await manifest.load(), repaired: [...claims, ...repaired] }
}

/** Returns archive_damaged instead of throwing it. */
async function load(manifest: ManifestWriter): Promise<ManifestState | MacaroondError> {
  try {
    return await manifest.load()
  } catch (error) {
    if (error instanceof MacaroondError && error.code === 'archive_damaged') return error
    throw error
  }
}

export function describeLostClaims(epochs: readonly Epoch[]): readonly string[] {
  return epochs.map(
    (epoch) => `the claim of epoch ${epoch} was lost, and was written again: its entries name its timeline`,
  )
}

/** Describes the damage for an operator, who has to confirm it. Changes nothing. */
export async function inspectDamage({
  storage,
  signingKey,
  known,
}: Pick<ManifestRepairOptions, 'storage' | 'signingKey' | 'known'>): Promise<ArchiveDamage> {
  const salvaged = await salvageManifest(storage, signingKey.publicKey, known?.entry)
  return damageOf(salvaged, await filesThere(storage, salvaged.state.files.values()))
}

function damageOf({ state, problems, unused }: Salvaged, existing: readonly ArchivedFile[]): ArchiveDamage {
  const filesLost = state.files.size - existing.length + unused.length
  return { problems, filesLost, restorable: restorableRanges(existing) }
}

/** True if an operator who has confirmed `confirmed` gives up no more than that. */
export function isCovered(damage: ArchiveDamage, confirmed: ArchiveDamage): boolean {
  if (damage.filesLost > confirmed.filesLost) return false
  return damage.problems.every((problem) => confirmed.problems.includes(problem))
}

async function heal(manifest: ManifestWriter): Promise<readonly string[] | undefined> {
  const lost = await manifest.heal()
  if (lost === undefined) return undefined
  const { entries, claims } = lost
  if (entries.length > 0)
    return [`entries ${entries.join(', ')} of the manifest were lost; the primary knew their content`]
  return claims.length === 0
    ? ['the folder of the manifest contained objects that are not entries']
    : [`the claim of epoch ${claims.join(', ')} was changed; the primary knew the content of the manifest`]
}

/** Returns undefined, and changes nothing, if the operator has not confirmed these losses. */
async function repair(
  options: ManifestRepairOptions,
  mayRepair: (damage: ArchiveDamage) => boolean,
): Promise<readonly string[] | undefined> {
  const { storage, manifest, source, signingKey, known } = options
  const salvaged = await salvageManifest(storage, signingKey.publicKey, known?.entry)
  const files = await filesThere(storage, salvaged.state.files.values())
  if (!mayRepair(damageOf(salvaged, files))) return undefined
  requireOwn(options, salvaged)
  await requireKnownOrLost(options)
  const head = salvaged.state.epoch === source.head.epoch ? reachableHead(files, salvaged.state.head) : undefined
  const { previous } = salvaged.state
  await manifest.beginAnew({ files: new Map(files.map((file) => [file.key, file])), head, previous }, salvaged.highest)
  return salvaged.problems
}

/** Throws archive_fenced if a primary of a later epoch, or of another timeline of this epoch, wrote the readable entries. */
function requireOwn({ storage, source }: ManifestRepairOptions, { state }: Salvaged): void {
  const { epoch, timeline } = state
  if (epoch === undefined || epoch < source.head.epoch) return
  if (epoch > source.head.epoch || timeline !== source.timeline) throw fenced(storage, epoch)
}

/** The recorded entry may be present or lost. Throws if another entry has its number: a copy of this cluster wrote it. */
async function requireKnownOrLost({ storage, signingKey, known }: ManifestRepairOptions): Promise<void> {
  if (known === undefined) return
  const read = await unlessDamaged(readEntry(storage, signingKey.publicKey, known.entry))
  if (read === undefined || read.hash === known.hash) return
  throw writtenByCopy(storage, known.entry)
}
