/** Judges an archive by what its primary recorded at each commit: its segment log has the checksums, and outlives it here. */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DirectoryStorage } from '../../../shared/archive/directory.ts'
import type { ManifestState } from '../../../shared/archive/manifest-state.ts'
import { readManifest } from '../../../shared/archive/read-chain.ts'
import { rebuildDatabase } from '../../../shared/archive/rebuild.ts'
import { planRestore, type RestoreTarget } from '../../../shared/archive/restore-plan.ts'
import { verifyArchive } from '../../../shared/archive/verify-archive.ts'
import { type Checksum, checksumText, txid, type Txid } from '../../../shared/ids.ts'
import type { SegmentHeader } from '../../../shared/ltx/header.ts'
import type { Random } from '../random.ts'

export interface Recorded {
  readonly txid: Txid
  readonly atMs: number
  readonly checksum: Checksum
}

/** The log begins after the transaction that made the database; the first segment says what it was made of. */
export function recordedBy(headers: readonly SegmentHeader[]): readonly Recorded[] {
  const [first] = headers
  const before = first === undefined ? [] : [recorded(txid(first.minTxid - 1), 0, first.preApply)]
  return [...before, ...headers.map(({ maxTxid, timestampMs, postApply }) => recorded(maxTxid, timestampMs, postApply))]
}

function recorded(number: Txid, atMs: number, checksum: Checksum | undefined): Recorded {
  if (checksum === undefined) throw new Error(`transaction ${number} has no checksum`)
  return { txid: number, atMs, checksum }
}

export interface JudgeOptions {
  readonly archive: string
  readonly publicKey: Uint8Array
  readonly recorded: readonly Recorded[]
  /** What the first judge of this archive found it to begin with. */
  readonly begins: number | undefined
  /** Highest transaction that was reported as archived. */
  readonly acknowledged: number
  /** From then on every transaction by itself, and from then on every moment, can be restored. */
  readonly exactSinceMs: number
  readonly keptSinceMs: number
  readonly random: Random
  /** How many moments are drawn from those that retention may have merged. */
  readonly drawn: number
  /** On a file system with room. */
  readonly scratch: string
}

export interface Judged {
  /** Undefined while there is no whole database. */
  readonly begins: number | undefined
  readonly unlisted: readonly string[]
  /** Transactions restored by themselves, and moments restored as the state before them. */
  readonly exact: number
  readonly merged: number
}

/** Throws at the first thing that must not be. */
export async function judgeArchive(options: JudgeOptions): Promise<Judged> {
  const { archive, publicKey, recorded, acknowledged, exactSinceMs, keptSinceMs, random, drawn } = options
  const storage = await DirectoryStorage.open(archive)
  const state = await readManifest(storage, publicKey)
  const head = state.head?.txid ?? 0
  if (head < acknowledged)
    throw new Error(`the archive is at ${head}, but ${acknowledged} was acknowledged as archived`)
  const { bad, unlisted } = await verifyArchive(storage, [...state.files.values()], () => undefined)
  if (bad[0] !== undefined) throw new Error(`the archive is damaged: ${bad[0].problem}`)
  const begins = options.begins ?? firstWhole(state)
  const archived = recorded.filter((one) => one.txid >= (begins ?? Infinity) && one.txid <= head)
  const exact = archived.filter(({ atMs }) => atMs >= exactSinceMs)
  const older = archived.filter(({ atMs }) => atMs >= keptSinceMs && atMs < exactSinceMs)
  const checksums = new Map(recorded.map((one) => [one.txid, one.checksum]))
  const restores = (target: RestoreTarget): Promise<void> => requireRestores(options, storage, state, target, checksums)
  for (const one of exact) await restores({ kind: 'txid', txid: one.txid })
  const moments = random.shuffled(older).slice(0, drawn)
  for (const { atMs } of moments) await restores({ kind: 'time', atMs })
  return { begins, unlisted, exact: exact.length, merged: moments.length }
}

/** What was committed before the first whole database never was in the archive. */
function firstWhole({ files }: ManifestState): number | undefined {
  const wholes = [...files.values()].filter(({ minTxid }) => minTxid === 1)
  return wholes.length === 0 ? undefined : Math.min(...wholes.map(({ maxTxid }) => maxTxid))
}

/** What is rebuilt has the checksum that the primary recorded when it committed that transaction. */
async function requireRestores(
  { scratch }: JudgeOptions,
  storage: DirectoryStorage,
  state: ManifestState,
  target: RestoreTarget,
  checksums: ReadonlyMap<Txid, Checksum>,
): Promise<void> {
  const plan = planRestore([...state.files.values()], target, Date.now())
  const folder = mkdtempSync(join(scratch, 'rebuilt-'))
  try {
    const { checksum } = await rebuildDatabase({ storage, files: plan.files, path: join(folder, 'database') })
    const expected = checksums.get(plan.point.txid)
    if (checksum === expected) return
    const found = checksumText(checksum)
    throw new Error(`transaction ${plan.point.txid} is restored with checksum ${found}, not as it was recorded`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
