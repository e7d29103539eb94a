/** A group writer over a database in memory. */
import type { Command } from '../../../primary/authority/commands.ts'
import type { Row } from '../../../primary/authority/rows.ts'
import type { AuthorityState } from '../../../primary/authority/state.ts'
import {
  type Attempt,
  GroupWriter,
  type GroupWriterOptions,
  type WriterRules,
  type KnownRevocations,
  type TransactionPort,
} from '../../../primary/commit-log/group-writer.ts'
import { systemClock } from '../../../shared/clock.ts'
import { checksum, epoch, txid } from '../../../shared/ids.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { ACTOR, countingEntropy, freshState, KEK, NOW_MS } from '../authority/fixture.ts'

/** A database in memory: what is committed, and what the open transaction would add. */
export class MemoryPort implements TransactionPort {
  readonly committed: Row[][] = []
  #open: Row[] | undefined
  #state: AuthorityState = freshState()
  failCommit: Error | undefined
  failWrite: Error | undefined
  rollbacks = 0
  onRollback: () => unknown = () => undefined

  readonly begin = (): void => {
    if (this.#open !== undefined) throw new Error('a transaction is open')
    this.#open = []
  }
  readonly write = (row: Row): void => {
    if (this.failWrite !== undefined) throw this.failWrite
    this.#open?.push(row)
  }
  readonly commit = (state: AuthorityState): { epoch: never; txid: never; checksum: never } => {
    if (this.failCommit !== undefined) throw this.failCommit
    this.committed.push(this.#open ?? [])
    this.#open = undefined
    this.#state = cloneOf(state)
    const at = { epoch: epoch(1), txid: txid(this.committed.length), checksum: checksum(1n << 63n) }
    return at as { epoch: never; txid: never; checksum: never }
  }
  readonly rollback = (): void => {
    this.#open = undefined
    this.rollbacks += 1
    this.onRollback()
  }
  readonly positionAt = (): undefined => undefined
  readonly migrate = (): boolean => false
  /** What was known when it was called last. */
  known: KnownRevocations | undefined
  readonly reload = (known?: KnownRevocations): AuthorityState => {
    this.known = known
    return { ...cloneOf(this.#state), undo: [] }
  }
}

export function cloneOf(state: AuthorityState): AuthorityState {
  const { orgs, keys, dueCutOffs } = state
  return { ...state, orgs: new Map(orgs), keys: new Map(keys), dueCutOffs: new Map(dueCutOffs) }
}

export interface Bench {
  readonly port: MemoryPort
  readonly writer: GroupWriter
  readonly rules: WriterRules
  readonly fatal: unknown[]
  gate: MacaroondError | undefined
  doubted: boolean
  readonly attempts: Attempt[]
}

/** `tickMs`: by how much every look at the monotonic clock moves it on. */
export function bench(
  tickMs = 0,
  { due, prepare }: Pick<WriterRules, 'due'> & Pick<GroupWriterOptions, 'prepare'> = {},
): Bench {
  const port = new MemoryPort()
  const fatal: unknown[] = []
  let monotonicMs = 0
  const parts = { gate: undefined as MacaroondError | undefined, doubted: false, attempts: [] as Attempt[] }
  const writer = new GroupWriter({
    port,
    clock: { ...systemClock, wallMs: () => NOW_MS, monotonicMs: () => (monotonicMs += tickMs) },
    entropy: countingEntropy(),
    ring: [KEK],
    ...(prepare === undefined ? {} : { prepare }),
    onFatal: (error) => fatal.push(error),
  })
  const rules: WriterRules = {
    moment: () => ({
      nowMs: NOW_MS,
      steadyMs: NOW_MS,
      wallMs: NOW_MS,
      believed: parts.doubted ? undefined : { earliestMs: NOW_MS, latestMs: NOW_MS + 10_000 },
    }),
    ...(due === undefined ? {} : { due }),
    gate: () => {
      if (parts.gate !== undefined) throw parts.gate
    },
    onAttempt: (attempt) => parts.attempts.push(attempt),
  }
  writer.open(rules)
  return Object.assign(parts, { port, writer, rules, fatal })
}

export const createOrg = (name: string): Command => ({ kind: 'org.create', actor: ACTOR, name })
export const mint = (org: string): Command => ({
  kind: 'token.mint',
  actor: ACTOR,
  org,
  subject: 'x',
  caveats: [],
  ttlSeconds: 1,
})

export function outcomesOf(results: readonly PromiseSettledResult<unknown>[]): string[] {
  return results.map((result) => {
    if (result.status === 'fulfilled') return 'done'
    return result.reason instanceof MacaroondError ? result.reason.code : String(result.reason)
  })
}

/** Of many callers, each for an org of its own. */
export const revokeOf = (caller: string, org: string, subject: string): Command => ({
  kind: 'issued.revoke',
  actor: { text: caller },
  org,
  subject,
  untilMs: undefined,
  reason: '',
})
