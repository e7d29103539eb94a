/** The cause of a verdict `unavailable` in the words of a profile. The SDK names its own options, which it does not have. */
import type { ReplicaProblem, WorkerVerdict } from '../replica/worker/sdk.ts'

/** The key of a profile that an option of `createVerifier` is read from. */
function keyOf(option: string): string {
  return option.startsWith('replicas[') ? 'peer_id' : option
}

/** A verdict whose message and cause name keys of the profile. Every other verdict stays as it is. */
export function inWordsOfProfile(verdict: WorkerVerdict): WorkerVerdict {
  if (verdict.ok || verdict.cause === undefined || verdict.cause.option === null) return verdict
  const { option, message } = verdict.cause
  const key = keyOf(option)
  const renamed = (text: string): string => text.replace(`option ${option}`, `${key} in the profile`)
  const cause: ReplicaProblem = { ...verdict.cause, option: key, message: renamed(message) }
  return { ...verdict, message: renamed(verdict.message), cause }
}

/** The verdict to show if no replica has judged: one with a wrong key of the profile, or else the later one. */
export function moreHelpful(earlier: WorkerVerdict, later: WorkerVerdict): WorkerVerdict {
  const isWrong = ({ cause }: WorkerVerdict): boolean => cause !== undefined && cause.option !== null
  return isWrong(earlier) && !isWrong(later) ? earlier : later
}
