/**
 * The oldest Node that runs macaroond. On an older one the SQLite driver's binary crashes the process without a message, and
 * calls that this Node lacks fail in the middle of a service. So the launcher and the entries of the package compare the
 * version before anything else.
 */
import { MacaroondError } from './errors.ts'

/** Repeats `engines` of package.json, because npm only warns about it. */
const NODE_MAJOR_MIN = 22
const NODE_MINOR_MIN = 18

/** The error node_too_old if `version` (as in `process.versions.node`) is too old, else null. */
export function nodeTooOld(version: string): MacaroondError | null {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN)) return null
  return new MacaroondError(
    'node_too_old',
    `this is Node ${version}, macaroond needs ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer`,
    {
      hint: 'install a newer Node, and check with `node --version` which one your PATH finds first',
    },
  )
}
