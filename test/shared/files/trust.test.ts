import { describe, expect, test } from 'vitest'
import { distrustOf, isPrivate, type PathFact, type UserIds } from '../../../shared/files/trust.ts'

const ME: UserIds = { uid: 1_000, groups: [1_000, 2_000] }
const ROOT: UserIds = { uid: 0, groups: [0] }
const OTHER = 1_234

const fact = (more: Partial<PathFact>): PathFact => {
  return { path: '/x', kind: 'file', end: true, uid: 1_000, gid: 1_000, mode: 0o600, ...more }
}
const above = (more: Partial<PathFact>): PathFact => fact({ kind: 'folder', end: false, mode: 0o755, ...more })
const severityOf = (one: PathFact, who: UserIds = ME): string => distrustOf([one], who)[0]?.severity ?? 'trusted'

describe('the writers of a file that decides what is run', () => {
  test.each([
    ['a file that all may write', fact({ mode: 0o666 }), 'error'],
    ['a file that all may write, with a sticky bit, which means nothing on a file', fact({ mode: 0o1666 }), 'error'],
    ['a folder above that all may write', above({ mode: 0o777, uid: 0, gid: 0 }), 'error'],
    ['/tmp above', above({ mode: 0o1777, uid: 0, gid: 0 }), 'trusted'],
    ['data that all may write', fact({ kind: 'folder', mode: 0o777 }), 'error'],
    ['data that all may write, with the sticky bit', fact({ kind: 'folder', mode: 0o1777 }), 'trusted'],
    ['a file of a third user', fact({ uid: OTHER }), 'error'],
    ['a link of a third user in its place', fact({ kind: 'link', uid: OTHER, mode: 0o777 }), 'error'],
    ['data of a third user', fact({ kind: 'folder', uid: OTHER, mode: 0o700 }), 'error'],
    ['a link of this user, whose bits mean nothing', fact({ kind: 'link', mode: 0o777 }), 'trusted'],
    ['a file of root', fact({ uid: 0, gid: 0, mode: 0o644 }), 'trusted'],
    ['a folder above of a third user', above({ uid: OTHER }), 'warning'],
    ['a folder above that a group may write', above({ mode: 0o775 }), 'warning'],
    ['a folder above that the group root may write', above({ mode: 0o775, gid: 0, uid: 0 }), 'trusted'],
    ['a configuration that a group may write', fact({ mode: 0o664 }), 'warning'],
  ])('%s: %s', (_, one, severity) => {
    expect(severityOf(one)).toBe(severity)
  })

  test('for root every other user is a third one', () => {
    expect(severityOf(fact({}), ROOT)).toBe('error')
    expect(severityOf(above({}), ROOT)).toBe('warning')
  })
})

describe('the readers of a key', () => {
  const asRoot = { uid: 0, groups: [0, 3_000] }
  test.each([
    ['this user alone', { uid: 1_000, gid: 1_000, mode: 0o600 }, ME, true],
    ['everybody', { uid: 0, gid: 0, mode: 0o444 }, ME, false],
    ['a group, of a file that this user could make private', { uid: 1_000, gid: 1_000, mode: 0o640 }, ME, false],
    ['a Kubernetes secret: root’s, for the group of the pod', { uid: 0, gid: 2_000, mode: 0o440 }, ME, true],
    ['a group that is not one of this process', { uid: 0, gid: 4_000, mode: 0o440 }, ME, false],
    ['a group that may write as well', { uid: 0, gid: 2_000, mode: 0o460 }, ME, false],
    ['the group of the pod, where the process is root', { uid: 0, gid: 3_000, mode: 0o440 }, asRoot, true],
    ['another group, where the process is root', { uid: 0, gid: 4_000, mode: 0o440 }, asRoot, false],
    ['root, of a file that all may read', { uid: 0, gid: 0, mode: 0o444 }, asRoot, false],
  ])('%s', (_, file, who, expected) => {
    expect(isPrivate(file, who)).toBe(expected)
  })
})
