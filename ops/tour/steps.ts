/** The steps of `macaroond tour`. Their order matters: each step uses the nodes and tokens of the steps before it. */
import { filesIdentical } from './files.ts'
import {
  attenuatedOffline,
  clusterUp,
  orgCreated,
  tokenMinted,
  verifiedIn,
  wrongAccessRefused,
} from './mint-and-verify.ts'
import { leaseWaitedOut, primaryKilled, primaryRestarted, replicaKilled } from './outages.ts'
import { refusedIn, tokenRevoked } from './revocation.ts'
import type { TourStep } from './step.ts'

export function tourSteps(regions: readonly string[]): readonly TourStep[] {
  return [
    clusterUp,
    orgCreated,
    tokenMinted,
    ...regions.map(verifiedIn),
    attenuatedOffline,
    wrongAccessRefused,
    primaryKilled,
    leaseWaitedOut,
    primaryRestarted,
    tokenRevoked,
    ...regions.map(refusedIn),
    ...regions.slice(-1).map(replicaKilled),
    filesIdentical,
  ]
}
