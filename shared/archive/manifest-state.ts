/** Pure core that follows a chain of manifest entries, and holds the state of the archive after the last one. */
import { MacaroondError } from '../errors.ts'
import type { Epoch, Timeline } from '../ids.ts'
import { parsePosition, type Position } from '../position.ts'
import type { ArchivedFile } from './layout.ts'
import { MANIFEST_GENESIS, type ManifestEntry } from './manifest.ts'

export interface ManifestState {
  readonly cluster: string | undefined
  readonly epoch: Epoch | undefined
  readonly timeline: Timeline | undefined
  /** Number of the last entry; 0 if there is none. */
  readonly seq: number
  /** Hash of the last entry. */
  readonly previous: string
  /** Time of the last entry, unix milliseconds. */
  readonly atMs: number
  /** Position up to which everything of the newest epoch is in the archive. */
  readonly head: Position | undefined
  readonly files: ReadonlyMap<string, ArchivedFile>
  /** The newest base, and the number of files it lists; `changes` counts the changes after it. */
  readonly base: { readonly seq: number; readonly files: number }
  readonly changes: number
}

/** The state before the first entry. Each call makes a new map of files, because `follow` changes it in place. */
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

/** A base is due after this many changes, or after as many as the last base had files, whichever is more. */
const CHANGES_MIN = 1_000

export function isBaseDue({ changes, base }: ManifestState, changesMin: number = CHANGES_MIN): boolean {
  return changes >= Math.max(changesMin, base.files)
}

/**
 * Returns the state after one more entry, whose hash is `hash`. Throws archive_damaged if the entry does not follow. A chain
 * may begin with a base, because the entries before a base are deleted. The old state shares its map of files with the new one,
 * so it must not be used any more.
 */
export function follow(state: ManifestState, entry: ManifestEntry, hash: string): ManifestState {
  const starts = state.seq === 0 && entry.base
  const problem = (starts ? undefined : linkProblem(state, entry)) ?? historyProblem(state, entry)
  if (problem !== undefined) throw brokenChain(entry, problem)
  return applyEntry(state, entry, hash)
}

/** Like `follow`, without checking that the entry follows. */
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

/** Returns the reason why an entry is not the next one; undefined if it is. */
export function linkProblem(state: ManifestState, entry: ManifestEntry): string | undefined {
  if (entry.seq !== state.seq + 1) return `the entry before it is entry ${state.seq}`
  return entry.previous === state.previous ? undefined : 'its hash of the previous entry is wrong'
}

/** Returns the reason why an entry cannot belong to the history of this state, at any number; undefined if it can. */
export function historyProblem(state: ManifestState, entry: ManifestEntry): string | undefined {
  if (state.cluster !== undefined && entry.cluster !== state.cluster) return `it belongs to cluster "${entry.cluster}"`
  if (state.epoch === undefined) return undefined
  if (entry.epoch < state.epoch) return `it belongs to epoch ${entry.epoch}, but comes after epoch ${state.epoch}`
  if (entry.epoch === state.epoch && entry.timeline !== state.timeline)
    return 'it belongs to another timeline of its epoch'
  return undefined
}

function brokenChain({ seq }: ManifestEntry, problem: string): MacaroondError {
  return new MacaroondError('archive_damaged', `entry ${seq} of the manifest does not follow: ${problem}`, {
    hint: 'entries were dropped, moved or replaced: use another copy of the archive',
  })
}
