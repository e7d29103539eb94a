/** Builds the objects that implement the calls of the `sign` channel. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import type { NodeClock } from '../../shared/clock.ts'
import { IssuedLog } from '../store/issued-log.ts'
import type { CommitLog } from '../commit-log/commit-log.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { Durability } from '../durability/durability.ts'
import type { Granting } from '../freshness/granting.ts'
import type { Publisher } from '../publisher/publisher.ts'
import { IssueAudit } from '../store/issue-audit.ts'
import { Lineage } from '../store/lineage.ts'
import { RevocationListing } from '../store/revocation-listing.ts'
import { IssuedCounter } from '../store/issued-counter.ts'
import { TokenListing } from '../store/token-listing.ts'
import { CountingApi } from './counting-api.ts'
import { GlobalWait } from './global-wait.ts'
import { KekApi } from './kek-api.ts'
import { PendingApi, type PendingApiOptions } from './pending-api.ts'
import { RevocationsApi } from './revocations-api.ts'
import { RevokingApi } from './revoking-api.ts'
import { SigningApi } from './signing-api.ts'
import { ThirdPartyApi } from './third-party-api.ts'
import { TokensApi } from './tokens-api.ts'
import { Walks } from './walks.ts'

export interface CallSources {
  readonly writer: GroupWriter
  readonly commitLog: Pick<CommitLog, 'db'>
  readonly publisher: Pick<Publisher, 'hasKek'>
  readonly granting: Pick<Granting, 'book'>
  readonly durability: Durability
  readonly adoption: PendingApiOptions['adoption']
  /** Longest life of a service token, seconds. */
  readonly serviceTtlSecondsMax: number
  readonly clock: NodeClock
  /** The replicas in the present configuration. */
  readonly replicas: () => readonly KnownPeer[]
}

export interface Calls {
  readonly signing: SigningApi
  readonly thirdParties: ThirdPartyApi
  readonly counting: CountingApi
  readonly tokens: TokensApi
  readonly revoking: RevokingApi
  readonly revocations: RevocationsApi
  readonly globalWait: GlobalWait
  readonly keks: KekApi
  readonly pending: PendingApi
}

export function openCalls(sources: CallSources): Calls {
  const { writer, commitLog, publisher, granting, durability, adoption } = sources
  const { serviceTtlSecondsMax, clock, replicas } = sources
  const { db } = commitLog
  const issued = new IssuedLog(db)
  // All calls that read large amounts of data share one queue, so that one reads at a time.
  const walks = new Walks(clock)
  const state = (): GroupWriter['state'] => writer.state
  const revocationBook = new RevocationListing(db, clock)
  const lineage = new Lineage(db, clock)
  return {
    signing: new SigningApi(writer),
    thirdParties: new ThirdPartyApi({ writer, serviceTtlSecondsMax }),
    counting: new CountingApi({ state, counter: new IssuedCounter(db, clock), walks, clock }),
    tokens: new TokensApi({
      state,
      book: new TokenListing(db, lineage, clock),
      issued,
      lineage,
      audit: new IssueAudit(db, clock),
      walks,
      clock,
    }),
    revoking: new RevokingApi({
      writer,
      durability,
    }),
    revocations: new RevocationsApi({ state, book: revocationBook, issued, lineage, walks }),
    globalWait: new GlobalWait({
      book: granting.book,
      state,
      replicas,
      clock,
      orgOf: (seq) => revocationBook.findBySeq(seq)?.org,
    }),
    pending: new PendingApi({ writer, adoption, durability, replicas }),
    keks: new KekApi({
      writer,
      replicasWithout: (kekId) => replicas().filter(({ id }) => !publisher.hasKek(id, kekId)),
    }),
  }
}
