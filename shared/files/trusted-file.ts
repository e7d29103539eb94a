/** Gathers the facts for `trust.ts` from the file system, and reads small files only if no other user may change them. */
import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { readSmallFile, type SmallFile } from './small-file.ts'
import { MacaroondError } from '../errors.ts'
import { type Distrust, distrustOf, type PathFact, type UserIds } from './trust.ts'

/** Linux follows this many symbolic links in one path (path_resolution(7)). */
const LINKS_MAX = 40

/**
 * A property of the process, like its umask: true turns every error into a warning. `dev`, the tour and the nodes that they
 * start set it, because their clusters are for trying things out in any folder.
 */
let isLenient = false

export function warnOnlyOfDistrust(): void {
  isLenient = true
}

/** Everything that is wrong with a path and the folders above it, as far as the path exists. */
export function distrustOfPath(path: string, who: UserIds = thisUser()): readonly Distrust[] {
  return asWarningsIfLenient(distrustOf(factsOf(path), who))
}

/**
 * Only errors about the entries of a folder. The folder and those above it are judged elsewhere: this looks at each entry once,
 * because there may be many. Warnings are left out, because the folder itself gets the same warning.
 */
export function distrustInside(folder: string): readonly Distrust[] {
  const who = thisUser()
  const all = namesIn(folder).flatMap((name) => distrustOf(factsOfEntry(join(folder, name)), who))
  return asWarningsIfLenient(all.filter(({ severity }) => severity === 'error'))
}

/** All facts of a link's way, and the one fact of anything else. */
function factsOfEntry(path: string): readonly PathFact[] {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return []
  return stat.isSymbolicLink() ? factsOf(path) : [factOf(path, stat, true)]
}

function factOf(path: string, stat: Stats, end: boolean): PathFact {
  const kind = stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : 'file'
  return { path, kind, end, uid: stat.uid, gid: stat.gid, mode: stat.mode & 0o7777 }
}

function asWarningsIfLenient(found: readonly Distrust[]): readonly Distrust[] {
  return isLenient ? found.map((one) => ({ ...one, severity: 'warning' })) : found
}

/** Empty if the folder cannot be listed, because reading it later fails with a better message. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Throws file_untrusted. Read the file first, so that a missing file is reported as missing. */
export function requireTrusted(path: string): void {
  const error = distrustOfPath(path).find(({ severity }) => severity === 'error')
  if (error !== undefined) throw untrusted(error)
}

/** Throws file_untrusted, and the errors of `readSmallFile`. */
export function readTrusted(path: string, bytesMax: number): SmallFile {
  const file = readSmallFile(path, bytesMax)
  requireTrusted(path)
  return file
}

function untrusted({ reason, action }: Distrust): MacaroondError {
  return new MacaroondError('file_untrusted', reason, { hint: action })
}

export function thisUser(): UserIds {
  // Undefined on systems without user ids, where no file belongs to another user.
  const uid = process.geteuid?.() ?? 0
  return { uid, groups: [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])] }
}

/** Resolves the path one component at a time, like the kernel, so the folders of a link and of its target are both judged. */
function factsOf(path: string): readonly PathFact[] {
  const facts = new Map<string, PathFact>()
  let place = '/'
  // `path.resolve` would be wrong here: after a link, `..` is the folder above the link's target.
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
    facts.set(at, factOf(at, stat, end))
  }
}

function componentsOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
