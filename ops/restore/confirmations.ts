/** Pure: checks that the operator has confirmed, by options, everything about a restore that needs a confirmation. */
import { MacaroondError } from '../../shared/errors.ts'
import type { Preview } from './restore.ts'

/** The confirmations that the operator gave as options. */
export interface Confirmations {
  readonly yes: boolean
  readonly acceptHead: boolean
  readonly withoutRevocations: boolean
}

/** Throws restore_unconfirmed, head_unwitnessed. Each has an option of its own, so that no option confirms both. */
export function requireConfirmed({ unread, head }: Pick<Preview, 'unread' | 'head'>, given: Confirmations): void {
  const reasons = [...unread, ...(given.withoutRevocations ? ['revocations are left out'] : [])]
  if (reasons.length > 0 && !given.yes) {
    throw new MacaroondError(
      'restore_unconfirmed',
      `this restore can bring revoked tokens back: ${reasons.join('; ')}`,
      { hint: 'make that readable and repeat the restore, or give --yes' },
    )
  }
  if (head === undefined || head.witnessed || given.acceptHead) return
  throw new MacaroondError('head_unwitnessed', `no witness confirms that the newest state was read: ${head.why}`, {
    hint: 'give --old-data with the old primary’s disk, or a --profile so that its replicas are asked; or give --accept-head: the newest revocations may then be lost',
  })
}
