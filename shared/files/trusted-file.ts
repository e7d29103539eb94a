/** The facts of `trust.ts` from the file system, and small files that are read only if nobody else may write them. */
import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { readSmallFile, type SmallFile } from './small-file.ts'
import { MacaroondError } from '../errors.ts'
import { type Distrust, distrustOf, type PathFact, type UserIds } from './trust.ts'

/** As many as Linux follows. */
const LINKS_MAX = 40

/**
 * A property of the process, like its umask. `dev` and the tour set it, and the nodes that they start: their clusters are there
 * to be tried out, in whatever folder somebody happens to be.
 */
let isLenient = false

export function warnOnlyOfDistrust(): void {
  isLenient = true
}

/** What there is to say of a path and the folders above it, as far as it exists. */
export function distrustOfPath(path: string, who: UserIds = thisUser()): readonly Distrust[] {
  return asTold(distrustOf(factsOf(path), who))
}

/** Only the errors among the files and folders that lie in a folder: that a group may write there is said of the folder. */
export function distrustInside(folder: string): readonly Distrust[] {
  const all = namesIn(folder).flatMap((name) => distrustOf(factsOf(join(folder, name)), thisUser()))
  return asTold(all.filter(({ severity }) => severity === 'error'))
}

function asTold(found: readonly Distrust[]): readonly Distrust[] {
  return isLenient ? found.map((one) => ({ ...one, severity: 'warning' })) : found
}

/** None in what is no folder, or cannot be listed: then whoever reads there says so. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Throws file_untrusted. Read the file first, so that one that is not there is told as that. */
export function requireTrusted(path: string): void {
  const error = distrustOfPath(path).find(({ severity }) => severity === 'error')
  if (error !== undefined) throw untrusted(error)
}

/** Throws file_untrusted, and what `readSmallFile` throws. */
export function readTrusted(path: string, bytesMax: number): SmallFile {
  const file = readSmallFile(path, bytesMax)
  requireTrusted(path)
  return file
}

function untrusted({ reason, action }: Distrust): MacaroondError {
  return new MacaroondError('file_untrusted', reason, { hint: action })
}

export function thisUser(): UserIds {
  // Undefined on systems without users; then nothing is anybody else's.
  const uid = process.geteuid?.() ?? 0
  return { uid, groups: [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])] }
}

/** Component by component, as the kernel resolves it: what a link leads to is judged as well as where the link lies. */
function factsOf(path: string): readonly PathFact[] {
  const facts = new Map<string, PathFact>()
  let place = '/'
  // Not `resolve`: behind a link, `..` is the folder above the link's target.
  let rest = [...componentsOf(path.startsWith('/') ? path : join(process.cwd(), '/') + path)]
  note(place, lstatSync(place), rest.length === 0)
  for (let links = 0; rest.length > 0 && links <= LINKS_MAX;) {
    const [name = '', ...below] = rest
    const next = name === '..' ? dirname(place) : join(place, name)
    const stat = lstatSync(next, { throwIfNoEntry: false })
    if (stat === undefined) break
    note(next, stat, below.length === 0)
    rest = below
    if (!stat.isSymbolicLink()) {
      place = next
      continue
    }
    const target = readlinkSync(next)
    if (target.startsWith('/')) place = '/'
    rest = [...componentsOf(target), ...below]
    links += 1
  }
  return [...facts.values()]

  function note(at: string, stat: Stats, end: boolean): void {
    const kind = stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : 'file'
    const { uid, gid } = stat
    facts.set(at, { path: at, kind, end, uid, gid, mode: stat.mode & 0o7777 })
  }
}

function componentsOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
