/** One of two replicas lies once, and goes away: the worker believes the other one again, with its cache and without. */
import { expect, test } from 'vitest'
import { createVerifier, type WorkerAlarm } from '../../../replica/worker/sdk.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'
import { encodeMessage } from '../../../shared/protocol/message.ts'
import { cleanup, serve, strangerIdentity } from '../../shared/channel/pair.ts'
import { CLUSTER, identityOf, seedOf, until } from '../cluster/harness.ts'
import { ACCESS, SHORT_LEASE, started } from './fixture.ts'

const LIE = { epoch: 2 ** 31, timeline: 'f'.repeat(32), seq: 0 }

/** Says its lie once on each channel, and nothing else; afterwards nobody is there. */
async function liar(region: string): Promise<{ address: string; peerId: string; lies: Set<string> }> {
  const lies = new Set<string>()
  const judged = { node: '', region, pid: 1, epoch: LIE.epoch, txid: 1, revocationSeq: 0 }
  const onConnection = (connection: Connection): void => {
    lies.add(connection.channel)
    if (connection.channel === 'feed') {
      connection.write(encodeMessage({ t: 'begin', ...LIE }))
      void connection.close()
      return
    }
    const verify = (): object => {
      setTimeout(() => void connection.close(), 20)
      return { ok: false, reason: 'signature_wrong', message: 'no', ...judged }
    }
    void serveRpc(connection, { methods: { verify }, log: silentLog })
  }
  const { listener } = await serve({
    identity: strangerIdentity,
    accept: (_, channel) =>
      lies.has(channel)
        ? { ok: false, error: { code: 'closed', message: 'gone' } }
        : { ok: true, welcome: { boot: 'e'.repeat(32), region, pingMs: 50 } },
    onConnection,
  })
  return { address: listener.address, peerId: strangerIdentity.peerId, lies }
}

test.each([
  ['its cache', true],
  ['no cache', false],
])('a worker with %s takes back what one replica named that no other reaches, and says so', async (_, cache) => {
  const { cluster, signer } = await started(SHORT_LEASE)
  const minted = await signer.mint({ org: 'acme', subject: 'alice' })
  const lying = await liar('fra')
  const honest = { address: cluster.replica('fra').address, peerId: identityOf('fra').peerId }
  const alarms: WorkerAlarm[] = []
  const verifier = await createVerifier({
    cluster: CLUSTER,
    identity: seedOf('worker'),
    replicas: [{ address: lying.address, peerId: lying.peerId }, honest],
    cache,
    timeoutMs: 500,
    onAlarm: (alarm) => alarms.push(alarm),
  })
  cleanup(() => verifier.close())
  await verifier.verify(minted.token, ACCESS)
  await until(() => lying.lies.size === (cache ? 2 : 1), 'the lies were told')
  await until(async () => (await verifier.verify(minted.token, ACCESS)).ok, 'the honest replica is believed', 15_000)
  await until(() => alarms.length > 0, 'the alarm was raised')
  expect(alarms[0]?.message).toContain(`${strangerIdentity.peerId} reported epoch ${LIE.epoch}`)
  expect(verifier.statistics().drops['minimum taken back']).toBeGreaterThan(0)
  await signer.revoke({ id: minted.id, wait: 'global' })
  expect(await verifier.verify(minted.token, ACCESS)).toMatchObject({ ok: false, reason: 'revoked' })
})
