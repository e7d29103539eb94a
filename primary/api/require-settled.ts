/** Refuses to acknowledge a revocation while replicas may still follow an earlier epoch. */
import { MacaroondError } from '../../shared/errors.ts'
import type { AuthorityState } from '../authority/state.ts'

/**
 * Throws epoch_unsettled. After a restore an old primary that still runs could grant leases to replicas that have not joined
 * the new epoch, and these would accept a token that is revoked here.
 */
export function requireSettled({ epoch, settledEpoch }: AuthorityState, seq: number): void {
  if (settledEpoch >= epoch) return
  throw new MacaroondError(
    'epoch_unsettled',
    `revocation ${seq} is written, but not every replica has joined epoch ${epoch} yet`,
    {
      hint: 'wait for the replicas, and remove replicas that no longer exist from the configuration; or, if no other primary of this cluster runs any more, start this one with --old-primary-stopped',
    },
  )
}
