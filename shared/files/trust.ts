/**
 * Decides if another user of the machine could change a file that a node reads. A configuration names programs to run and
 * grants the admin role, so it must be protected like a key. The file, every folder above it and every link on the path are
 * judged, because a user who may write a folder may replace a file in it. Pure: `trusted-file.ts` gathers the facts.
 */

export interface PathFact {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'link'
  /** True if this is the file itself, or a link in its place. False for a folder above it. */
  readonly end: boolean
  readonly uid: number
  readonly gid: number
  /** Permission bits, the sticky bit included. */
  readonly mode: number
}

/** Effective ids of this process. */
export interface UserIds {
  readonly uid: number
  /** The effective group, and the supplementary groups. */
  readonly groups: readonly number[]
}

export interface Distrust {
  /** `error`: another user controls what is read. `warning`: another user could, which is common in containers. */
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
  const belongsToOther = fact.uid !== ROOT && fact.uid !== uid
  // In a sticky folder like /tmp, only the owner of an entry can replace it. The mode bits of a link have no meaning.
  const isShared = kind !== 'link' && !(kind === 'folder' && (mode & STICKY) !== 0)
  if (isShared && (mode & ALL_WRITE) !== 0) {
    const reason = `every user of this machine may write ${path}${end ? '' : ', and replace what lies in it'}`
    return { severity: 'error', path, reason, action: `chmod o-w ${path}` }
  }
  if (belongsToOther) {
    const action = end ? `chown ${uid} ${path}` : `move what macaroond reads out of ${path}, or chown it to root`
    const reason = `${path} belongs to uid ${fact.uid}, which is neither root nor the user that macaroond runs as`
    return { severity: end ? 'error' : 'warning', path, reason, action }
  }
  if (!isShared || (mode & GROUP_WRITE) === 0 || gid === ROOT) return undefined
  return { severity: 'warning', path, reason: `group ${gid} may write ${path}`, action: `chmod g-w ${path}` }
}

/** True if only this user, or the one group that the file was given to, can read it. A key file must be private. */
export function isPrivate({ uid, gid, mode }: Pick<PathFact, 'uid' | 'gid' | 'mode'>, who: UserIds): boolean {
  if ((mode & 0o077) === 0) return true
  if ((mode & 0o037) !== 0) return false
  // The owner could chmod the file. A Kubernetes secret belongs to root, has the pod's group, and cannot be changed.
  return (uid !== who.uid || who.uid === ROOT) && who.groups.includes(gid)
}

/** The hint for a secret that other users can read. */
export function privacyHint(path: string): string {
  return `chmod 600 ${path}; mounted by Docker: \`mode: 0400\` and \`uid\` of the secret (Compose, long syntax); by Kubernetes: \`defaultMode: 0400\` of the volume and \`fsGroup\` of the pod`
}
