import { expect, test } from 'vitest'
import { GlobalWait } from '../../../primary/api/global-wait.ts'
import { systemClock } from '../../../shared/clock.ts'
import { GrantBook } from '../../../shared/freshness/grant-book.ts'
import type { Mark } from '../../../shared/freshness/mark.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import { freshState } from '../authority/fixture.ts'

const HOLDER = { peer: 'fra', boot: '1' }
const OPTIONS = { clock: systemClock, earlierLeaseMs: 0, clockRateError: 0, hops: 1, holdersMax: 10 }

/** The holder asks again in the moment in which its lease from before is over. */
class AskedAgain extends GrantBook {
  override async covered(mark: Mark, signal?: AbortSignal): Promise<void> {
    await super.covered(mark, signal)
    this.grant(HOLDER, { mark, leaseMs: 10_000 })
  }
}

test('of a lease that ran out it is told that it ran out, also when there is a newer one by then', async () => {
  const state = { ...freshState(), revocationSeq: 2 }
  const epoch = state.epoch
  const book = new AskedAgain(OPTIONS)
  book.grant(HOLDER, { mark: { epoch, seq: 1 }, leaseMs: 40 })
  const wait = new GlobalWait({
    book,
    state: () => ({ ...state, settledEpoch: epoch }),
    replicas: () => [{ id: HOLDER.peer as PeerIdText, name: 'fra', role: 'replica' }],
    clock: systemClock,
  })
  const answer = await wait.coverage({ epoch, seq: 2, waitMs: 2_000 })
  expect(answer).toMatchObject({ covered: true, replicas: [{ name: 'fra', how: 'lease expired' }] })
  book.close()
})
