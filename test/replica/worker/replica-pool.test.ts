import { describe, expect, test } from 'vitest'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { silentLog } from '../../../shared/log.ts'
import { createVerifier } from '../../../replica/worker/sdk.ts'
import { ReplicaPool } from '../../../replica/worker/replica-pool.ts'
import { cleanup, clientIdentity, serve, serverIdentity } from '../../shared/channel/pair.ts'

const peerId = serverIdentity.peerId
const accepted = { ok: true, id: 'x', org: 'acme', subject: 'alice', notes: [], caveatCount: 0, node: 'here' }

/** A listener that answers `verify` as told: the pool only forwards, so nothing of a real replica is needed here. */
async function replica(verify: (params: unknown) => unknown): Promise<{ address: string; peerId: string }> {
  const onConnection = (connection: Connection): Promise<void> =>
    serveRpc(connection, { methods: { verify }, log: silentLog }).done
  const { listener } = await serve({ onConnection })
  return { address: listener.address, peerId }
}

function pool(replicas: { address: string; peerId: string }[], timeoutMs = 2_000): ReplicaPool {
  const made = new ReplicaPool({ cluster: 'test', replicas, identity: clientIdentity, timeoutMs })
  cleanup(() => made.close())
  return made
}

async function deadAddress(): Promise<string> {
  const { listener } = await serve()
  await listener.close()
  return listener.address
}

describe('the replicas of a region', () => {
  test('are asked in turn: a dead one costs a part of the time, and the next one answers', async () => {
    const alive = await replica(() => accepted)
    const verdict = await pool([{ address: await deadAddress(), peerId }, alive]).verify('t', { org: 'acme' }, {})
    expect(verdict).toEqual(accepted)
  })

  test('are asked again when the connection was lost under the call', async () => {
    let calls = 0
    const onConnection = (connection: Connection): Promise<void> => {
      const verify = (): unknown => {
        calls += 1
        if (calls === 1) connection.abort(new Error('lost'))
        return accepted
      }
      return serveRpc(connection, { methods: { verify }, log: silentLog }).done
    }
    const { listener } = await serve({ onConnection })
    expect(await pool([{ address: listener.address, peerId }]).verify('t', { org: 'acme' }, {})).toEqual(accepted)
    expect(calls).toBe(2)
  })

  test('that hang do not take all of the time from those that answer', async () => {
    const hung = await replica(() => new Promise(() => undefined))
    const alive = await replica(() => accepted)
    expect(await pool([hung, alive]).verify('t', { org: 'acme' }, {})).toEqual(accepted)
  })

  test('that cannot be reached make the verdict unavailable, not an exception and not a refusal of the token', async () => {
    const verdict = await pool([{ address: await deadAddress(), peerId }], 200).verify('t', { org: 'acme' }, {})
    expect(verdict).toMatchObject({ ok: false, reason: 'unavailable' })
  })

  test('answer errors about the call itself as such', async () => {
    const superseded = await replica(() => {
      throw new MacaroondError('position_superseded', 'undone')
    })
    await expect(pool([superseded]).verify('t', { org: 'acme' }, {})).rejects.toMatchObject({
      code: 'position_superseded',
    })
  })

  test('are given as options that are checked by name', async () => {
    const options = { cluster: 'test', identity: Buffer.alloc(32), replicas: [{ address: 'a:1', peerID: 'x' }] }
    await expect(createVerifier(options as never)).rejects.toMatchObject({
      code: 'config_invalid',
      hint: expect.stringContaining('peerId'),
    })
  })
})
