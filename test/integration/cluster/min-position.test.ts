/** S5: an answer is from the wanted state or a later one, or there is none. */
import { expect, test } from 'vitest'
import { parsePosition, positionText } from '../../../shared/position.ts'
import { epoch, txid } from '../../../shared/ids.ts'
import { Cluster, codeOf } from './harness.ts'

test('a verification waits for the position of a write that it has not seen yet', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const verifier = await cluster.verifier()
  for (let count = 0; count < 50; count += 1) {
    const { token, position } = await signer.mint({ org: 'acme', subject: 'x' })
    const verdict = await verifier.verify(token, { org: 'acme' }, { minPosition: position })
    expect(verdict).toMatchObject({ ok: true })
    expect(verdict.txid).toBeGreaterThanOrEqual(parsePosition(position).txid)
  }
})

test('a position not reached in time is unavailable, and one of an abandoned epoch is superseded', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const { token, position } = await signer.mint({ org: 'acme', subject: 'x' })
  const verifier = await cluster.verifier()
  const at = parsePosition(position)
  const later = positionText({ ...at, txid: txid(at.txid + 1000) })
  expect(await verifier.verify(token, { org: 'acme' }, { minPosition: later })).toMatchObject({
    ok: false,
    reason: 'unavailable',
  })
  const nextEpoch = positionText({ ...at, epoch: epoch(at.epoch + 1) })
  expect(await verifier.verify(token, { org: 'acme' }, { minPosition: nextEpoch })).toMatchObject({
    reason: 'unavailable',
  })
  const undone = positionText({ ...at, epoch: epoch(at.epoch - 1) })
  expect(await codeOf(verifier.verify(token, { org: 'acme' }, { minPosition: undone }))).toBe('position_superseded')
  for (const nonsense of ['', '1', '1.2.3', `${position}x`, '99999999999.0.0']) {
    expect(await codeOf(verifier.verify(token, { org: 'acme' }, { minPosition: nonsense }))).toBe('request_invalid')
  }
})

test('a token that is newer than the replica is unavailable there, never unknown', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  await cluster.caughtUp()
  const proxy = await cluster.proxy()
  proxy.down = true
  proxy.cutAll()
  await signer.createOrg('later')
  const { token } = await signer.mint({ org: 'later', subject: 'x' })
  const verifier = await cluster.verifier()
  expect(await verifier.verify(token, { org: 'later' })).toMatchObject({ ok: false, reason: 'unavailable' })
  proxy.down = false
  await cluster.caughtUp()
  expect(await verifier.verify(token, { org: 'later' })).toMatchObject({ ok: true })
})
