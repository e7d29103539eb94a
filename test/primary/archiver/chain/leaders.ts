/** Writers of one archive, each of which leads in an epoch of its own. */
import { claim, type Claimed, type ClaimOptions } from '../../../../primary/archiver/chain/claim.ts'
import { claimEpoch } from '../../../../primary/archiver/chain/claim-epoch.ts'
import { type ArchivedFile, segmentKey } from '../../../../shared/archive/layout.ts'
import type { RetentionRules } from '../../../../primary/archiver/files/retention-plan.ts'
import type { CommittedHistory } from '../../../../primary/archiver/source.ts'
import { ManifestWriter } from '../../../../primary/archiver/chain/manifest-writer.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { type Ed25519PrivateKey, ed25519Private, ed25519PublicKey } from '../../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../../shared/ids.ts'
import type { Position } from '../../../../shared/position.ts'
import type { MemoryStorage } from '../../../shared/archive/memory.ts'

const SEED = Buffer.alloc(32, 7)
export const KEY: { readonly privateKey: Ed25519PrivateKey; readonly publicKey: Buffer } = {
  privateKey: ed25519Private(SEED),
  publicKey: ed25519PublicKey(SEED),
}
export const DELETES_ALL: RetentionRules = { windowMs: 1e15, keepMs: 1e15, bytesMax: 1e15, filesMax: 1e9 }
const BASE_AFTER = 12

const sameTime = (): number => 1

export function placeOf(
  of: number,
  letter: string,
): { cluster: string; epoch: ReturnType<typeof epoch>; timeline: ReturnType<typeof timeline> } {
  return { cluster: 'c', epoch: epoch(of), timeline: timeline(letter.repeat(32)) }
}

export async function claimed(storage: MemoryStorage, of: number, letter: string): Promise<void> {
  await claimEpoch(storage, { ...placeOf(of, letter), atMs: 1 }, KEY)
}

export function writerOf(
  storage: MemoryStorage,
  of: number,
  letter: string,
  baseAfter: number = BASE_AFTER,
): ManifestWriter {
  return new ManifestWriter({ storage, ...placeOf(of, letter), signingKey: KEY, wallMs: sameTime, baseAfter })
}

export async function leader(
  storage: MemoryStorage,
  of: number,
  letter: string,
  baseAfter?: number,
): Promise<ManifestWriter> {
  await claimed(storage, of, letter)
  const writer = writerOf(storage, of, letter, baseAfter)
  await writer.load()
  return writer
}

export function at(of: number, number: number): Position {
  return { epoch: epoch(of), txid: txid(number), checksum: checksum((1n << 63n) + 1n) }
}

export function file(storage: MemoryStorage, level: number, first: number, last: number, of: number): ArchivedFile {
  const range = { minTxid: txid(first), maxTxid: txid(last) }
  const key = segmentKey(level, range)
  storage.objects.set(key, Buffer.from('x'))
  const common = { bytes: 1, timestampMs: 1, sha256: '0'.repeat(64), epoch: epoch(of), postApply: checksum(1n << 63n) }
  return { ...range, ...common, key, level }
}

export async function appendOne(
  writer: ManifestWriter,
  storage: MemoryStorage,
  of: number,
  number: number,
): Promise<void> {
  await writer.append({ head: at(of, number), added: [file(storage, 0, number, number, of)], removed: [] })
}

export async function append(
  writer: ManifestWriter,
  storage: MemoryStorage,
  of: number,
  first: number,
  last: number,
): Promise<void> {
  for (let number = first; number <= last; number += 1) await appendOne(writer, storage, of, number)
}

/** As a restore's primary does: it takes the chain over, merges, and goes on past a base. */
export async function leadPastBase(
  storage: MemoryStorage,
  of: number,
  letter: string,
): Promise<{ merged: ArchivedFile; head: number }> {
  const successor = await leader(storage, of, letter)
  const taken = successor.state.seq
  await successor.append({ head: undefined, added: [], removed: [] })
  const level0 = [...successor.state.files.values()].filter(({ level }) => level === 0)
  const merged = file(storage, 1, 1, 5, of)
  for (const { key } of level0) storage.objects.delete(key)
  await successor.append({ head: at(of, 6), added: [merged], removed: level0 })
  let head = 6
  while (successor.state.base.seq <= taken + 2) await appendOne(successor, storage, of, (head += 1))
  return { merged, head }
}

/** The history of a primary whose log has no transaction any more. */
export function sourceOf(
  of: number,
  letter: string,
  last: number,
  changed: Partial<CommittedHistory> = {},
): CommittedHistory {
  const pin = (): never => {
    throw new Error('nothing is read')
  }
  const { timeline: own } = placeOf(of, letter)
  const nothing = { segment: () => undefined, checksumAt: () => undefined, pin }
  return { timeline: own, bases: new Map(), head: at(of, last), headMs: 1, ...nothing, ...changed }
}

/** Claims the archive as a start of the primary does, and after each failure. */
export function claimArchive(
  manifest: ManifestWriter,
  storage: MemoryStorage,
  [of, letter, last]: readonly [number, string, number],
  changed: Partial<ClaimOptions> = {},
): Promise<Claimed> {
  const source = sourceOf(of, letter, last)
  const common = { cluster: 'c', storage, manifest, source, signingKey: KEY, nowMs: 1, timers: systemClock }
  return claim({ ...common, known: undefined, mayRepair: undefined, filesBad: false, ...changed })
}

export const numbersIn = (storage: MemoryStorage): string[] =>
  [...storage.objects.keys()].filter((key) => key.startsWith('macaroond/manifest/')).toSorted()
