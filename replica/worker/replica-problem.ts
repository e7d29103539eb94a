/** Problems with single replicas, as `health`, `ready` and verdicts show them. Each names the address and the wrong option. */
import { isOtherCluster } from '../../shared/channel/handshake-error.ts'
import { type ErrorCode, MacaroondError } from '../../shared/errors.ts'

/** The reason why a replica does not serve this verifier. It can be written as JSON. */
export interface ReplicaProblem {
  /** `host:port`, as in `replicas`. */
  readonly address: string
  /** `verify` carries verifications, `feed` keeps the cache. With a problem of `feed` alone, the cache stays empty. */
  readonly channel: 'verify' | 'feed'
  /** `replica_unavailable`: the replica is connected, and cannot judge tokens now, for example without a lease. */
  readonly code: ErrorCode
  /** One sentence for people. It names the address and, if there is one, the option. */
  readonly message: string
  /** One sentence: what to do. Absent if nothing is known. */
  readonly hint?: string
  /** The option of `createVerifier` that the replica contradicts, such as `replicas[0].peerId`; null if there is none. */
  readonly option: string | null
}

/** Facts about a replica that its errors do not have. */
export interface ReplicaOrigin {
  readonly address: string
  readonly channel: ReplicaProblem['channel']
  /** Index in `replicas`. */
  readonly index: number
  /** True if the replica reported a region that must not be asked. */
  readonly foreign: boolean
}

export function problemOf(error: MacaroondError, origin: ReplicaOrigin): ReplicaProblem {
  const { address, channel } = origin
  const { code, hint } = error
  const option = wrongOption(error, origin)
  const named = option === null ? address : `${address}, option ${option}`
  const message = option === null && error.message.includes(address) ? error.message : `${named}: ${error.message}`
  return { address, channel, code, message, ...(hint === undefined ? {} : { hint }), option }
}

/** The option that must change. Null for a fault that may pass by itself, such as a handshake that broke off. */
function wrongOption(error: MacaroondError, { index, foreign }: ReplicaOrigin): string | null {
  const { code } = error
  if (code === 'peer_mismatch') return `replicas[${index}].peerId`
  if (isOtherCluster(error)) return 'cluster'
  if (code === 'peer_refused') return foreign ? 'region' : 'identity'
  return null
}

/** The problem to report first: one that only a change of options or of the replica's configuration removes. */
export function gravest(problems: readonly ReplicaProblem[]): ReplicaProblem | undefined {
  return problems.find(({ option }) => option !== null) ?? problems[0]
}

/** The error of `ready` if a wait cannot help, because every replica refuses this verifier. */
export function everyReplicaRefuses(problems: readonly ReplicaProblem[]): MacaroondError {
  const cause = errorOf(gravest(problems))
  const details = { cause, ...(cause?.hint === undefined ? {} : { hint: cause.hint }) }
  return new MacaroondError(cause?.code ?? 'internal', `no replica can serve: ${listed(problems)}`, details)
}

/** The error of `ready` after its time. */
export function noReplicaServes(problems: readonly ReplicaProblem[], timeoutMs: number): MacaroondError {
  const cause = errorOf(gravest(problems))
  const details = { cause, ...(cause?.hint === undefined ? {} : { hint: cause.hint }) }
  return new MacaroondError('timeout', `no replica serves after ${timeoutMs} ms: ${listed(problems)}`, details)
}

function errorOf(problem: ReplicaProblem | undefined): MacaroondError | undefined {
  if (problem === undefined) return undefined
  const { code, message, hint } = problem
  return new MacaroondError(code, message, hint === undefined ? {} : { hint })
}

function listed(problems: readonly ReplicaProblem[]): string {
  return problems.map(({ message }) => message).join('; ') || 'no connection is established yet'
}
