import { expect, test } from 'vitest'
import { GlobalWait } from '../../../primary/api/global-wait.ts'
import { systemClock } from '../../../shared/clock.ts'
import { GrantBook } from '../../../shared/freshness/grant-book.ts'
import type { Mark } from '../../../shared/freshness/mark.ts'
import type { KnownPeer } from '../../../shared/channel/peers.ts'
import type { PeerIdText } from '../../../shared/ids.ts'
import { freshState } from '../authority/fixture.ts'

const HOLDER = { peer: 'fra', boot: '1' }
const OPTIONS = { clock: systemClock, earlierLeaseMs: 0, clockRateError: 0, hops: 1, holdersMax: 10 }

const OPERATOR = peer('operator')

function peer(role: KnownPeer['role'], orgs?: readonly string[]): KnownPeer {
  return { id: '12D3Koo' as PeerIdText, name: 'somebody', role, ...(orgs === undefined ? {} : { orgs }) }
}

/** The holder asks again in the moment in which its lease from before is over. */
class AskedAgain extends GrantBook {
  override async covered(mark: Mark, signal?: AbortSignal): Promise<void> {
    await super.covered(mark, signal)
    this.grant(HOLDER, { mark, leaseMs: 10_000 })
  }
}

test('a lease that ran out is reported as such, even if a newer one exists by then', async () => {
  const state = { ...freshState(), revocationSeq: 2 }
  const epoch = state.epoch
  const book = new AskedAgain(OPTIONS)
  book.grant(HOLDER, { mark: { epoch, seq: 1 }, leaseMs: 400 })
  const wait = new GlobalWait({
    book,
    state: () => ({ ...state, settledEpoch: epoch }),
    replicas: () => [{ id: HOLDER.peer as PeerIdText, name: 'fra', role: 'replica' }],
    clock: systemClock,
    orgOf: () => 'acme',
  })
  const answer = await wait.coverage(OPERATOR, { epoch, seq: 2, waitMs: 2_000 })
  expect(answer).toMatchObject({ covered: true, replicas: [{ name: 'fra', how: 'lease expired' }] })
  book.close()
})

test('every awaited replica is named, also when it is no longer configured', async () => {
  const state = { ...freshState(), revocationSeq: 2 }
  const { epoch } = state
  const book = new GrantBook(OPTIONS)
  book.grant(HOLDER, { mark: { epoch, seq: 1 }, leaseMs: 400 })
  book.grant({ peer: 'gone before', boot: '1' }, { mark: { epoch, seq: 2 }, leaseMs: 400 })
  const replicas = (): KnownPeer[] => []
  const wait = new GlobalWait({
    book,
    state: () => state,
    replicas,
    clock: systemClock,
    orgOf: () => 'acme',
  })
  const early = await wait.coverage(OPERATOR, { epoch, seq: 2, waitMs: 0 })
  expect(early).toMatchObject({ covered: false, replicas: [{ name: 'fra', region: null, how: 'pending' }] })
  const answer = await wait.coverage(OPERATOR, { epoch, seq: 2, waitMs: 2_000 })
  expect(answer).toMatchObject({ covered: true, replicas: [{ name: 'fra', region: null, how: 'lease expired' }] })
  book.close()
})

test('a signer learns the coverage of its own orgs’ revocations, and no count of the others', async () => {
  const state = { ...freshState(), revocationSeq: 7, newestSeqs: new Map([['org globex', 6]]) }
  state.orgs.set('globex', { name: 'globex', state: 'active', createdMs: 0, activeKid: undefined })
  const { epoch } = state
  const book = new GrantBook(OPTIONS)
  const orgs = new Map([
    [1, 'acme'],
    [2, 'globex'],
  ])
  const wait = new GlobalWait({
    book,
    state: () => state,
    replicas: () => [],
    clock: systemClock,
    orgOf: (seq) => orgs.get(seq),
  })
  const said = (who: KnownPeer, seq: number): Promise<unknown> =>
    wait.coverage(who, { epoch, seq, waitMs: 0 }).catch((error: unknown) => (error as Error).message)
  const [acme, globex] = [peer('signer', ['acme']), peer('signer', ['globex'])]
  expect(await said(acme, 1)).toMatchObject({ covered: true })
  expect(await said(globex, 2)).toMatchObject({ covered: true })
  expect(await said(OPERATOR, 3)).toMatchObject({ covered: true })
  // The newest of its org may have been purged.
  expect(await said(globex, 6)).toMatchObject({ covered: true })
  const none = 'there is no revocation N in the orgs that somebody acts for'
  for (const seq of [2, 3, 6, 7, 8]) expect(String(await said(acme, seq)).replace(`${seq}`, 'N')).toBe(none)
  book.close()
})
