/** Pure: what an operator has to be asked before a restore goes on, and which word answers it. */
import { MacaroondError } from '../../shared/errors.ts'
import type { Preview } from './restore.ts'

export interface Answers {
  readonly yes: boolean
  readonly acceptHead: boolean
  readonly withoutRevocations: boolean
}

/** Throws restore_unconfirmed, head_unwitnessed: one word never answers both. */
export function requireAnswers({ unread, head }: Pick<Preview, 'unread' | 'head'>, answers: Answers): void {
  const reasons = [...unread, ...(answers.withoutRevocations ? ['revocations are left out'] : [])]
  if (reasons.length > 0 && !answers.yes) {
    throw new MacaroondError(
      'restore_unconfirmed',
      `this restore can bring revoked tokens back: ${reasons.join('; ')}`,
      { hint: 'make that readable and repeat it, or say --yes' },
    )
  }
  if (head === undefined || head.witnessed || answers.acceptHead) return
  throw new MacaroondError('head_unwitnessed', `nobody who was read saw the newest state: ${head.why}`, {
    hint: 'give --old-data with the old primary’s disk, or a --profile so that its replicas are asked; or say --accept-head: revocations of the last moments may then be lost',
  })
}
