/**
 * Derives from the trace of a whole life every call at which a later life can be killed, and the stage of the archiver's work
 * it is in.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { manifestKey } from '../../../shared/archive/layout.ts'
import type { Random } from '../random.ts'
import type { ThreadTarget, TracedCall } from './thread-strace.ts'

/** `base`: the manifest begins anew, and the entries before that go. */
export type Stage = 'claim' | 'upload' | 'compaction' | 'snapshot' | 'retention' | 'manifest' | 'base'

/** Of an archive that is small. */
export const STAGES: readonly Stage[] = ['claim', 'upload', 'compaction', 'snapshot', 'retention', 'manifest']

/** Calls are counted in their stage. */
export interface Target extends ThreadTarget {
  readonly stage: Stage
}

/** By the first path of the call. */
export function stageOf({ syscall, text }: TracedCall): Stage {
  const path = /[<"](\/[^>"]*)[>"]/.exec(text)?.[1] ?? ''
  if (path.endsWith('archive-snapshot.tmp')) return 'snapshot'
  const [, level] = /\/archive\/ltx(?:\/(\d))?/.exec(path) ?? []
  const isTemporary = path.includes('/.tmp-')
  // What an earlier life left half done is swept when a later one has claimed the archive.
  if (syscall === 'unlink' && path.includes('/archive/ltx/')) return isTemporary ? 'claim' : 'retention'
  if (level === '9') return 'snapshot'
  if (level !== undefined && level !== '0') return 'compaction'
  if (path.includes('/archive/ltx')) return 'upload'
  if (syscall === 'unlink' && path.includes('/manifest/') && !isTemporary) return 'base'
  return path.includes('/manifest') ? 'manifest' : 'claim'
}

/** Calls of the pool that put a temporary file in its place: each was written before. */
const PLACING: ReadonlySet<string> = new Set(['link', 'rename'])

export function targetsOf(trace: readonly TracedCall[]): readonly Target[] {
  const counts = new Map<string, number>()
  const target = (syscall: string, stage: Stage): Target => {
    const key = `${stage} ${syscall}`
    const nth = (counts.get(key) ?? 0) + 1
    counts.set(key, nth)
    return { thread: 'pool', syscall, nth, stage }
  }
  return trace.flatMap((call) => {
    const stage = stageOf(call)
    const writes = PLACING.has(call.syscall) ? [target('write', stage)] : []
    return [...writes, target(call.syscall, stage)]
  })
}

const FOLDERS: Readonly<Record<Stage, readonly string[]>> = {
  claim: ['', 'macaroond', 'macaroond/epochs'],
  upload: ['ltx', 'ltx/0'],
  compaction: ['ltx/1', 'ltx/2', 'ltx/3'],
  snapshot: ['ltx/9'],
  retention: [],
  manifest: ['macaroond/manifest'],
  base: [],
}
const TEMPORARIES_A_LIFE = 60
/** Of the manifest, before it begins anew. */
const ENTRIES_MAX = 600

/** As a traced process names its temporary files. */
export function writerOf(pid: number): string {
  return pid.toString(16).padStart(12, '0')
}

/** What a life works on in one stage, so that only that is counted: the names of its temporary files are known before. */
export function filesOf(stage: Stage, archive: string, pid: number): readonly string[] {
  const segments = pathsUnder(join(archive, 'ltx'))
  const isTemporary = (path: string): boolean => path.includes('/.tmp-')
  if (stage === 'base') return Array.from({ length: ENTRIES_MAX }, (_, index) => join(archive, manifestKey(index + 1)))
  if (stage === 'retention') return segments.filter((path) => path.endsWith('.ltx') && !isTemporary(path))
  const folders = FOLDERS[stage].map((folder) => join(archive, folder))
  const names = Array.from({ length: TEMPORARIES_A_LIFE }, (_, index) => `.tmp-${writerOf(pid)}-${index + 1}`)
  const temporaries = folders.flatMap((folder) => names.map((name) => join(folder, name)))
  return [...folders, ...temporaries, ...(stage === 'claim' ? segments.filter(isTemporary) : [])]
}

function pathsUnder(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
}

/** Until the first upload: what only a new archive sees. */
export function beginningOf(trace: readonly TracedCall[]): readonly TracedCall[] {
  const upload = trace.findIndex(({ text }) => text.includes('/ltx/0'))
  return upload < 0 ? trace : trace.slice(0, upload)
}

/** Of the scratch file that a snapshot is written to: its first pages, and its deletion. */
export function scratchTargets(pages: number): readonly Target[] {
  const writes = Array.from({ length: pages }, (_, index) => ({ syscall: 'pwrite64', nth: index + 1 }))
  return [...writes, { syscall: 'unlink', nth: 1 }].map((one) => ({ ...one, thread: 'main', stage: 'snapshot' }))
}

/** Shuffled, one of each stage in turn: any number from the front has all of them. */
export function inTurn(targets: readonly Target[], random: Random): readonly Target[] {
  const decks = new Map<Stage, Target[]>()
  for (const target of random.shuffled(targets)) decks.set(target.stage, [...(decks.get(target.stage) ?? []), target])
  const longest = Math.max(0, ...[...decks.values()].map((deck) => deck.length))
  return Array.from({ length: longest }, (_, index) => [...decks.values()].flatMap((deck) => deck[index] ?? [])).flat()
}
