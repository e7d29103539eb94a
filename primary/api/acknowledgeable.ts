import { MacaroondError } from '../../shared/errors.ts'
import type { AuthorityState } from '../authority/state.ts'

/**
 * Throws epoch_unsettled: after a restore or a promotion an old primary that still lives could go on granting leases to
 * replicas that have not joined, and those would accept what is revoked here.
 */
export function requireSettled({ epoch, settledEpoch }: AuthorityState, seq: number): void {
  if (settledEpoch >= epoch) return
  throw new MacaroondError(
    'epoch_unsettled',
    `revocation ${seq} is written, but not every replica has joined epoch ${epoch} yet`,
    {
      hint: 'wait for the replicas, or take those that are gone out of the configuration; or, if no other primary of this cluster runs any more, start this one with --old-primary-stopped',
    },
  )
}
