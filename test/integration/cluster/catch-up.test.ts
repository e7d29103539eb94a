/** Revocations do not wait for pages: a replica that is far behind refuses what was revoked a moment ago. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parsePosition } from '../../../shared/position.ts'
import { Cluster, closedFile, until } from './harness.ts'

test('a replica that catches up enforces a new revocation, and answers only with all its pages', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer('operator', 20_000)
  await signer.createOrg('acme')
  const token = await signer.mint({ org: 'acme', subject: 'somebody' })
  const other = await signer.mint({ org: 'acme', subject: 'somebody else' })
  await cluster.caughtUp()
  const proxy = await cluster.proxy()
  proxy.down = true
  proxy.cutAll()
  for (let round = 0; round < 30; round += 1) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        signer.mint({ org: 'acme', subject: `${round}/${index} `.repeat(20).trim() }),
      ),
    )
  }
  // Bulk trickles; the revocation connection never carries as much.
  proxy.slow = { afterBytes: 30_000, bytesPerSecond: 20_000 }
  proxy.down = false
  const renewed = async (): Promise<boolean> => ((await cluster.replicaStatus()).freshness.ageMs ?? Infinity) < 500
  await until(renewed, 'the replica holds a lease, by its revocations alone')
  const verifier = await cluster.verifier()
  const verdict = (text: string): ReturnType<typeof verifier.verify> => verifier.verify(text, { org: 'acme' })
  expect(await verdict(token.token)).toMatchObject({ ok: true })

  const revoked = await signer.revoke({ token: token.token })
  expect(revoked).toMatchObject({ durability: 'replica' })
  const refusal = await verdict(token.token)
  expect(refusal).toMatchObject({ ok: false, reason: 'revoked' })
  // The pages are not there yet: it was the stream.
  expect(refusal.txid).toBeLessThan(parsePosition(revoked.position).txid)
  expect(await verdict(other.token)).toMatchObject({ ok: true })

  proxy.down = true
  proxy.cutAll()
  await cluster.stopReplica()
  proxy.down = false
  await cluster.startReplica()
  await until(async () => (await cluster.replicaStatus()).stream.phase === 'connected', 'revocations come again')
  const restarted = await cluster.verifier()
  for (const { token: text } of [token, other]) {
    const again = await restarted.verify(text, { org: 'acme' })
    expect(again).toMatchObject({ ok: false, reason: 'unavailable', revocationSeq: revoked.seq })
    expect(again.txid).toBeLessThan(parsePosition(revoked.position).txid)
  }

  proxy.slow = undefined
  await cluster.caughtUp()
  expect(await restarted.verify(other.token, { org: 'acme' })).toMatchObject({ ok: true })
  expect(await restarted.verify(token.token, { org: 'acme' })).toMatchObject({ ok: false, reason: 'revoked' })
  await cluster.stop()
  expect(closedFile(cluster.replicaFolder()).equals(closedFile(cluster.primaryFolder))).toBe(true)
})

test('the journal is dropped once the pages hold what it holds', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const journal = `${cluster.replicaFolder()}/revocations.journal`
  for (let count = 0; count < 5; count += 1) {
    const { id } = await signer.mint({ org: 'acme', subject: 'x' })
    await signer.revoke({ id })
  }
  await until(() => readFileSync(journal).every((byte) => byte === 0), 'the journal is empty')
})
