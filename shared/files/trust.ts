/**
 * UserIds could change a file behind our back. A configuration names programs to run and makes operators, so it is worth as much
 * as a key. Judged are the file, every folder above it, and the links on the way, since whoever may write a folder may put
 * another file in its place. Pure: `trusted-file.ts` gathers the facts.
 */

export interface PathFact {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  /** What the path names, or a link in its place; false for what lies above. */
  readonly end: boolean
  readonly uid: number
  readonly gid: number
  /** Permission bits, the sticky bit included. */
  readonly mode: number
}

/** The user of this process: effective ids. */
export interface UserIds {
  readonly uid: number
  /** The group, and the supplementary ones. */
  readonly groups: readonly number[]
}

export interface Distrust {
  /** An error: another user decides what is read. A warning: another user could, as things are in many containers. */
  readonly severity: 'error' | 'warning'
  readonly path: string
  readonly reason: string
  readonly action: string
}

const ALL_WRITE = 0o002
const GROUP_WRITE = 0o020
const STICKY = 0o1000
const ROOT = 0

export function distrustOf(facts: readonly PathFact[], who: UserIds): readonly Distrust[] {
  return facts.flatMap((fact) => judge(fact, who) ?? [])
}

function judge(fact: PathFact, { uid }: UserIds): Distrust | undefined {
  const { path, kind, end, mode, gid } = fact
  const isThird = fact.uid !== ROOT && fact.uid !== uid
  // In a folder like /tmp only the owner of an entry can take it away. The bits of a link mean nothing.
  const isShared = kind !== 'link' && !(kind === 'folder' && (mode & STICKY) !== 0)
  if (isShared && (mode & ALL_WRITE) !== 0) {
    const reason = `every user of this machine may write ${path}${end ? '' : ', and replace what lies in it'}`
    return { severity: 'error', path, reason, action: `chmod o-w ${path}` }
  }
  if (isThird) {
    const action = end ? `chown ${uid} ${path}` : `move what macaroond reads out of ${path}, or chown it to root`
    const reason = `${path} belongs to uid ${fact.uid}, which is neither root nor the user that macaroond runs as`
    return { severity: end ? 'error' : 'warning', path, reason, action }
  }
  if (!isShared || (mode & GROUP_WRITE) === 0 || gid === ROOT) return undefined
  return { severity: 'warning', path, reason: `group ${gid} may write ${path}`, action: `chmod g-w ${path}` }
}

/** A file that holds a key: true if nobody but this user, or the one group that it is given to, can read it. */
export function isPrivate({ uid, gid, mode }: Pick<PathFact, 'uid' | 'gid' | 'mode'>, who: UserIds): boolean {
  if ((mode & 0o077) === 0) return true
  if ((mode & 0o037) !== 0) return false
  // Whoever owns it could make it private. A Kubernetes secret is root's, its group is the pod's, and nobody can chmod it.
  return (uid !== who.uid || who.uid === ROOT) && who.groups.includes(gid)
}

/** What to do about a secret that others can read. */
export function privacyHint(path: string): string {
  return `chmod 600 ${path}; mounted by Docker: \`mode: 0400\` and \`uid\` of the secret (Compose, long syntax); by Kubernetes: \`defaultMode: 0400\` of the volume and \`fsGroup\` of the pod`
}
