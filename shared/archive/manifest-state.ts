/** Pure: what a chain of manifest entries says, one entry after the other. */
import { MacaroondError } from '../errors.ts'
import type { Epoch, Timeline } from '../ids.ts'
import { parsePosition, type Position } from '../position.ts'
import type { ArchivedFile } from './layout.ts'
import { MANIFEST_GENESIS, type ManifestEntry } from './manifest.ts'

export interface ManifestState {
  readonly cluster: string | undefined
  readonly epoch: Epoch | undefined
  readonly timeline: Timeline | undefined
  /** Number of the last entry, 0 for none. */
  readonly seq: number
  /** Hash of the last entry. */
  readonly previous: string
  /** When the last entry was written, unix milliseconds. */
  readonly atMs: number
  /** Everything of the newest epoch up to here is in the archive. */
  readonly head: Position | undefined
  readonly files: ReadonlyMap<string, ArchivedFile>
  /** The newest base, and how many changes of files came after it. */
  readonly base: { readonly seq: number; readonly files: number }
  readonly changes: number
}

/** To follow a chain from its beginning. Made anew each time, because the files are changed in place. */
export function emptyManifest(): ManifestState {
  return {
    cluster: undefined,
    epoch: undefined,
    timeline: undefined,
    seq: 0,
    previous: MANIFEST_GENESIS,
    atMs: 0,
    head: undefined,
    files: new Map(),
    base: { seq: 0, files: 0 },
    changes: 0,
  }
}

/** Changes after which a base is written: never few, and no more often than the number of files makes worth it. */
const CHANGES_MIN = 1_000

export function isBaseDue({ changes, base }: ManifestState, changesMin: number = CHANGES_MIN): boolean {
  return changes >= Math.max(changesMin, base.files)
}

/**
 * The state after one more entry, whose hash is `hash`. Throws archive_damaged when it does not follow. An archive may
 * begin with a base, because what came before one is deleted. The map of files is handed on and changed in place.
 */
export function follow(state: ManifestState, entry: ManifestEntry, hash: string): ManifestState {
  const starts = state.seq === 0 && entry.base
  const problem = (starts ? undefined : linkProblem(state, entry)) ?? strangerProblem(state, entry)
  if (problem !== undefined) throw brokenChain(entry, problem)
  return applyEntry(state, entry, hash)
}

/** Without asking whether it follows. */
export function applyEntry(state: ManifestState, entry: ManifestEntry, hash: string): ManifestState {
  const { cluster, epoch, timeline, seq, atMs, base, added, removed } = entry
  const files = base ? new Map<string, ArchivedFile>() : (state.files as Map<string, ArchivedFile>)
  for (const file of added) files.set(file.key, file)
  for (const key of removed) files.delete(key)
  const head = entry.head === null ? undefined : parsePosition(entry.head)
  return {
    cluster,
    epoch,
    timeline,
    seq,
    previous: hash,
    atMs,
    head,
    files,
    base: base ? { seq, files: files.size } : state.base,
    changes: base ? 0 : state.changes + 1 + added.length + removed.length,
  }
}

/** Why an entry is not the next one; undefined if it is. */
export function linkProblem(state: ManifestState, entry: ManifestEntry): string | undefined {
  if (entry.seq !== state.seq + 1) return `it comes after entry ${state.seq}`
  return entry.previous === state.previous ? undefined : 'it does not name the hash of the entry before it'
}

/** Why an entry cannot come after this one at all; undefined if it can. */
export function strangerProblem(state: ManifestState, entry: ManifestEntry): string | undefined {
  if (state.cluster !== undefined && entry.cluster !== state.cluster) return `it is of cluster "${entry.cluster}"`
  if (state.epoch === undefined) return undefined
  if (entry.epoch < state.epoch) return `it is of epoch ${entry.epoch}, after epoch ${state.epoch}`
  if (entry.epoch === state.epoch && entry.timeline !== state.timeline) return `it is of another timeline of its epoch`
  return undefined
}

function brokenChain({ seq }: ManifestEntry, problem: string): MacaroondError {
  return new MacaroondError('archive_damaged', `entry ${seq} of the manifest does not follow: ${problem}`, {
    hint: 'entries were dropped, moved or replaced: use another copy of the archive',
  })
}
